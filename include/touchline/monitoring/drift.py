"""Drift: is the champion falling further behind the closing market than chance explains?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from touchline.clock import RunClock
from touchline.database.engine import connect, rows
from touchline.settings import Settings

METRIC = "log_loss_behind_closing"
# Enough matches for a tight mean, few enough to be recent: about a fortnight of 22 divisions.
WINDOW_MATCHES = 500
FEWEST_MATCHES = 200
FEWEST_MATCHDAYS = 5
# Nats. A forecast without prices is about 0.015 behind the closing market over 22 divisions, so twice that is
# wrong for any of ours.
WORST_GAP = 0.03
ONE_SIDED_95 = 1.645

# The champion's last word on each match, newest matches first; a corrected result counts as corrected.
SETTLED = """
with last_word as (
    select distinct on (match_id) prediction_id, kickoff_at
    from ledger.prediction
    where role = 'champion' and model_name = %(model_name)s and predicted_at <= %(as_of)s
    order by match_id, predicted_at desc, prediction_id desc
)
select (last_word.kickoff_at at time zone 'UTC')::date as kickoff_on,
    outcome.log_loss + ln(case outcome.outcome
        when 'home' then outcome.p_closing_home
        when 'draw' then outcome.p_closing_draw
        else outcome.p_closing_away
    end) as gap
from last_word
inner join lateral (
    select * from ledger.prediction_outcome
    where prediction_outcome.prediction_id = last_word.prediction_id and settled_at <= %(as_of)s
    order by revision desc limit 1
) as outcome on true
where outcome.p_closing_home is not null
order by last_word.kickoff_at desc, last_word.prediction_id
limit %(limit)s
"""

INSERT = """
insert into ops.drift_metric (run_id, metric, subject, value, threshold, is_drift, as_of)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (metric, subject, as_of) do nothing
"""


@dataclass(frozen=True)
class DriftReport:
    """Mean log loss of the champion minus the closing market's over the last `n_matches` settled, in nats.

    `gap` and `low` (lower end of a one-sided 95 % interval) are None while there are too few matches to say.
    """

    as_of: str
    n_matches: int
    gap: float | None
    low: float | None
    threshold: float
    is_drift: bool

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        if self.gap is None or self.low is None:
            return (
                f"Drift cannot be judged yet: {self.n_matches} settled matches have closing prices, "
                f"{FEWEST_MATCHES} on {FEWEST_MATCHDAYS} days are needed."
            )
        verdict = "DRIFT" if self.is_drift else "no drift"
        return (
            f"{verdict}: over the last {self.n_matches} settled matches the champion is {self.gap:+.4f} nats behind "
            f"the closing market, at least {self.low:+.4f} with 95 % confidence (limit {self.threshold:+.4f})."
        )


def measure_drift(settings: Settings, clock: RunClock, run_id: str) -> DriftReport:
    """Compare the champion with the closing market on the last settled matches, and record it in ops.drift_metric.

    It is drift when the gap is above `WORST_GAP` with 95 % confidence. Nothing is recorded while there are fewer
    than `FEWEST_MATCHES` or `FEWEST_MATCHDAYS`; the same `clock.as_of` is recorded once.
    """
    as_of = clock.as_of.isoformat()
    given = {"model_name": settings.model_name, "as_of": clock.as_of, "limit": WINDOW_MATCHES}
    with connect(settings, "model") as connection:
        found = rows(connection, SETTLED, given)
        if len(found) < FEWEST_MATCHES or len({row["kickoff_on"] for row in found}) < FEWEST_MATCHDAYS:
            return DriftReport(as_of, len(found), None, None, WORST_GAP, False)
        gap, low = lower_bound([row["gap"] for row in found], [row["kickoff_on"] for row in found])
        is_drift = low > WORST_GAP
        connection.execute(
            INSERT, (run_id, METRIC, settings.model_name, gap, WORST_GAP, is_drift, clock.as_of)
        )
    return DriftReport(as_of, len(found), gap, low, WORST_GAP, is_drift)


def lower_bound(gaps: Sequence[float], matchdays: Sequence[date]) -> tuple[float, float]:
    """Mean of `gaps` and the lower end of its one-sided 95 % interval.

    Standard error clustered by matchday (matches of a day share weather, calendar and news), with the usual
    small-sample factor; Cameron & Miller (2015). Raises ValueError when there is only one matchday.
    """
    values = np.asarray(gaps, dtype=np.float64)
    mean = float(values.mean())
    _, day = np.unique(np.asarray(matchdays, dtype="datetime64[D]"), return_inverse=True)
    sums = np.bincount(day, values - mean)
    n_days = len(sums)
    if n_days < 2:
        raise ValueError("one matchday does not say how matchdays differ")
    error = math.sqrt(n_days / (n_days - 1) * float((sums**2).sum())) / len(values)
    return mean, mean - ONE_SIDED_95 * error
