"""How often the drift detectors cry wolf, and how soon they see what is wrong: `python -m benchmarks.drift`.

A year of 7,000 settled predictions is simulated over and over, and looked at 500 times. Where nothing is wrong, the
detector must keep to its share of the false alarms; elsewhere what counts is after how many matches it speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.simulated_features import SIMULATED, simulated_features
from benchmarks.simulated_forecasts import (
    HOME_BIASED,
    KNOWING,
    MATCHES_A_DAY,
    NO_ODDS,
    OVERCONFIDENT,
    WITH_ODDS,
    WORSE_NO_ODDS,
    WORSE_WITH_ODDS,
    Champion,
    expected_gap,
    simulated_year,
)
from touchline.monitoring.calibration_drift import calibration_drift
from touchline.monitoring.confident_picks import FLOOR, PROMISED, confident_picks
from touchline.monitoring.drift import METRICS
from touchline.monitoring.feature_drift import LOOKS_A_YEAR, compare
from touchline.monitoring.finding import Finding
from touchline.monitoring.market_loss import market_loss
from touchline.monitoring.sequential import evidence_needed
from touchline.monitoring.settled import Settled
from touchline.settings import Drift, Settings

N_LOOKS = 500
N_YEARS = 200
# A false alarm is no likelier with more matches, but takes longer to wait for.
FEW_A_DAY = 10
# Mixtures of 44 alternatives take their time.
N_YEARS_OF_CALIBRATION = 40
N_YEARS_OF_DELAYS = 20

# What a detector finds in the matches up to an instant.
Look = Callable[[Settled, Settings, datetime, float], Finding | None]
Year = tuple[Settled, Settings]


def looks_at(look: Look, year: Year, rate: float, n_looks: int = N_LOOKS) -> Iterator[tuple[int, Finding]]:
    """Number of matches and finding of `n_looks` evenly spaced looks at a year; those that find something."""
    settled, settings = year
    for n in np.linspace(0, len(settled), n_looks + 1).astype(int)[1:]:
        seen = settled.where(np.arange(len(settled)) < n)
        last = datetime.combine(seen.kickoff_on[-1].astype(object), datetime.min.time(), UTC)
        finding = look(seen, settings, last + timedelta(days=1), rate)
        if finding is not None:
            yield int(n), finding


def first_alarm(look: Look, year: Year, rate: float) -> int | None:
    """Number of matches after which a look raised the alarm; None if none did."""
    return next((n for n, finding in looks_at(look, year, rate) if finding.is_drift), None)


def strongest_evidence(look: Look, year: Year, n_looks: int = N_LOOKS) -> float:
    """The most that any look found, in powers of ten."""
    return max((finding.value for _, finding in looks_at(look, year, 1.0, n_looks)), default=-np.inf)


def picks_of(subject: str, *given: object) -> Finding | None:
    """The finding of confident_picks about one subject."""
    return next((each for each in confident_picks(*given) if each.subject == subject), None)  # type: ignore[arg-type]


LOOKS: dict[str, Look] = {
    "log loss against the market": market_loss,
    "calibration": calibration_drift,
    "confident picks, promised": partial(picks_of, PROMISED),
    "confident picks, floor": partial(picks_of, FLOOR),
}

MARKET, CALIBRATION, PICKS_PROMISED, PICKS_FLOOR = LOOKS
PLANTED = (
    ("with prices, 0.03 nats worse", WORSE_WITH_ODDS, MARKET),
    ("without prices, 0.03 nats worse", WORSE_NO_ODDS, MARKET),
    ("overconfident, slope 0.8", OVERCONFIDENT, CALIBRATION),
    ("home sides 3 points too high", HOME_BIASED, CALIBRATION),
    ("overconfident, slope 0.8", OVERCONFIDENT, PICKS_PROMISED),
    ("overconfident, slope 0.8", OVERCONFIDENT, PICKS_FLOOR),
    ("nothing: with prices", WITH_ODDS, MARKET),
    ("nothing: without prices", NO_ODDS, MARKET),
)


def at_the_limit(champion: Champion, seed: int) -> Year:
    """A year whose true gap to the market is just what is tolerated, and the settings that tolerate it."""
    settled, truth = simulated_year(champion, seed, matches_a_day=FEW_A_DAY)
    return settled, Settings(drift=Drift(market_gap=expected_gap(settled, truth)))


def as_set(champion: Champion, seed: int, matches_a_day: int = MATCHES_A_DAY) -> Year:
    """A year, and the settings as they are by default."""
    return simulated_year(champion, seed, matches_a_day=matches_a_day)[0], Settings()


def false_alarms() -> Table:
    """How many of the years in which nothing is wrong had an alarm, at ten times the default rate and at it."""
    share = Settings().drift.false_alarms / len(METRICS)
    table = Table(title=f"Years with a false alarm, {N_LOOKS} looks a year")
    table.add_column("detector")
    for name in ("years", f"at a rate of {10 * share:.4f} a year", f"at {share:.4f} (default)"):
        table.add_column(name, justify="right")
    for name, look in LOOKS.items():
        n = N_YEARS_OF_CALIBRATION if look is calibration_drift else N_YEARS
        is_market = look is market_loss
        world = (
            partial(at_the_limit, NO_ODDS) if is_market else partial(as_set, KNOWING, matches_a_day=FEW_A_DAY)
        )
        strongest = [strongest_evidence(look, world(seed)) for seed in range(n)]
        # Both subjects of the confident picks share a rate.
        rates = [rate / 2 if name.startswith("confident") else rate for rate in (10 * share, share)]
        alarms = [sum(value >= evidence_needed(rate) for value in strongest) for rate in rates]
        table.add_row(name, str(n), *map(str, alarms))
    found = [_n_looks_with_drift(N_YEARS, rate / LOOKS_A_YEAR) for rate in (10 * share, share)]
    table.add_row("features (looks, not years)", str(N_YEARS), *map(str, found))
    return table


def _n_looks_with_drift(n: int, level: float) -> int:
    """Of looks at features where nothing has changed, those at which one is significant, whatever its index."""
    looks = (compare(*simulated_features(seed), features=SIMULATED) for seed in range(n))
    return sum(min(each.p_adjusted for each in comparisons) < level for comparisons in looks)


def delays() -> Table:
    """Matches until the alarm where something is wrong from the first match on: median and ninth decile."""
    share = Settings().drift.false_alarms / len(METRICS)
    table = Table(title="Matches until the alarm")
    for name in ("what is wrong", "detector", "years", "seen within", "median", "90 %"):
        table.add_column(name, justify="left" if name in ("what is wrong", "detector") else "right")
    for what, champion, detector in PLANTED:
        found = [
            first_alarm(LOOKS[detector], as_set(champion, seed), share) for seed in range(N_YEARS_OF_DELAYS)
        ]
        seen = [n for n in found if n is not None]
        numbers = [f"{np.quantile(seen, q):,.0f}" if seen else "" for q in (0.5, 0.9)]
        table.add_row(what, detector, str(len(found)), str(len(seen)), *numbers)
    return table


def main() -> None:
    """Print both tables."""
    for table in (false_alarms(), delays()):
        Console().print(table)


if __name__ == "__main__":
    main()
