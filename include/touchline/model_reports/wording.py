"""How the figures of a quality report are written."""

from __future__ import annotations

import math
from datetime import datetime

from touchline.model_reports.evidence import Figure


def score(figure: Figure) -> str:
    """0.9712 [0.9641, 0.9790]; without brackets where the interval is not known."""
    value = f"{figure.mean.value:.4f}"
    return f"{value} [{figure.mean.low:.4f}, {figure.mean.high:.4f}]" if figure.has_interval else value


def signed(figure: Figure) -> str:
    """+0.0012 [-0.0004, +0.0028]."""
    value = f"{figure.mean.value:+.4f}"
    return f"{value} [{figure.mean.low:+.4f}, {figure.mean.high:+.4f}]" if figure.has_interval else value


def share(figure: Figure, sign: str = "") -> str:
    """53.2 % [48.9, 57.0]; `sign` "+" writes it always."""
    value, low, high = (
        f"{100 * each:{sign}.1f}" for each in (figure.mean.value, figure.mean.low, figure.mean.high)
    )
    return f"{value} % [{low}, {high}]" if figure.has_interval else f"{value} %"


def slope(slope: float) -> str:
    """0.981, or unknown."""
    return "unknown" if math.isnan(slope) else f"{slope:.3f}"


def minute(moment: datetime) -> str:
    """2026-03-15 06:00."""
    return f"{moment:%Y-%m-%d %H:%M}"
