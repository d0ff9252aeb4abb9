"""How figures are written: thousandths of log loss, per cent, units."""

from __future__ import annotations

import numpy as np

from touchline.forecasting.report.intervals import Estimate

THOUSAND = 1000
HUNDRED = 100


def thousandths(estimate: Estimate) -> str:
    """+0.78 [+0.36, +1.24]."""
    return f"{THOUSAND * estimate.value:+.2f} {thousandths_interval(estimate)}"


def thousandths_interval(estimate: Estimate) -> str:
    """[+0.36, +1.24]."""
    return f"[{THOUSAND * estimate.low:+.2f}, {THOUSAND * estimate.high:+.2f}]"


def percent(share: float, digits: int = 1) -> str:
    """43.2 %; nothing for a share that is not known."""
    return "" if np.isnan(share) else f"{HUNDRED * share:.{digits}f} %"


def signed_percent(share: float) -> str:
    """+4.4 %; nothing for a share that is not known."""
    return "" if np.isnan(share) else f"{HUNDRED * share:+.1f} %"


def percent_with_interval(estimate: Estimate | None) -> str:
    """+4.4 % [+2.2, +6.5]; nothing where there is no estimate."""
    if estimate is None:
        return ""
    return (
        f"{HUNDRED * estimate.value:+.1f} % [{HUNDRED * estimate.low:+.1f}, {HUNDRED * estimate.high:+.1f}]"
    )


def units(value: float) -> str:
    """1,234.5."""
    return f"{value:,.1f}"


def units_with_interval(estimate: Estimate | None) -> str:
    """165.2 [94.1, 290.0]; nothing where there is no estimate."""
    if estimate is None:
        return ""
    return f"{units(estimate.value)} [{units(estimate.low)}, {units(estimate.high)}]"
