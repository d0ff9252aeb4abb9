"""What the report reads from a frame of `walk_forward`: the forecasts in it, and the matches they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from touchline.errors import ForecastInSample
from touchline.forecasting.evaluation import comparable, covered
from touchline.forecasting.logistic import Floats, Ints
from touchline.forecasting.metrics import OUTCOMES, Resamples, log_loss, resample_matchdays
from touchline.forecasting.specs import BASE_RATES, MARKET_PREMATCH, NO_ODDS, at_close, references
from touchline.forecasting.walk_forward import probabilities_of, probability_columns

# Log loss per match, in nats. The whole gap from pre-match to closing price is about 0.004, so forecasts further away
# than this would flatten every picture with the market in it.
NEAR = 0.005


@dataclass(frozen=True)
class Compared:
    """The matches that every forecast in `names` covers, and draws of their matchdays for every interval.

    `reference` is what skill is measured against: the pre-match market, or base rates where there is none.
    `left_out` gives the share of matches covered by each forecast that is not one of `evaluation.comparable`.
    """

    matches: pd.DataFrame
    names: tuple[str, ...]
    reference: str
    left_out: dict[str, float]
    resamples: Resamples

    @property
    def outcomes(self) -> Ints:
        """(n,): 0 home, 1 draw, 2 away."""
        return self.matches["outcome"].to_numpy(dtype=np.int64)

    @property
    def rivals(self) -> tuple[str, ...]:
        """Every forecast but the reference."""
        return tuple(name for name in self.names if name != self.reference)

    def probabilities(self, name: str) -> Floats:
        """(n, 3) of one forecast."""
        return probabilities_of(self.matches, name)

    def saved(self, name: str) -> Floats:
        """Log loss of the reference minus that of a forecast, for each match (n,); above zero is better."""
        reference = log_loss(self.probabilities(self.reference), self.outcomes)
        return np.asarray(reference - log_loss(self.probabilities(name), self.outcomes), dtype=np.float64)

    def near(self) -> tuple[str, ...]:
        """Rivals that can share a scale with the reference; all of them if none can.

        Their log loss is within `NEAR` of it, or at most twice as far away as the lead of the best.
        """
        reach = max(NEAR, 2 * self.saved(self.names[-1]).mean())
        found = tuple(name for name in self.rivals if abs(self.saved(name).mean()) <= reach)
        return found or self.rivals

    def models(self) -> tuple[str, ...]:
        """Forecasts worth a close look: no_odds, and those near the reference that are not references."""
        own = (name for name in self.names if name not in references())
        return tuple(name for name in own if name == NO_ODDS or name in self.near())


def compare(predictions: pd.DataFrame, seed: int, needed: Sequence[str] = ()) -> Compared:
    """Restrict the forecasts of a frame to common matches. Raises ValueError when they have none.

    As in `evaluation.evaluate`, a forecast that covers too few matches is left out instead of shrinking the comparison.
    `needed` ones need to cover half of them.
    """
    covers = {name: covered(predictions, name) for name in forecasts_in(predictions)}
    names = tuple(comparable(covers, needed))
    common = np.all([covers[name] for name in names], axis=0) if names else np.array([False])
    if not common.any():
        raise ValueError("no match to report on: the forecasts have none in common")
    matches = predictions.iloc[np.flatnonzero(common)].reset_index(drop=True)
    matches = matches.sort_values(["kickoff_at", "match_id"], ignore_index=True)
    return Compared(
        matches,
        _ladder(matches, names),
        MARKET_PREMATCH if MARKET_PREMATCH in names else (BASE_RATES if BASE_RATES in names else names[0]),
        {name: float(mask.mean()) for name, mask in covers.items() if name not in names},
        resample_matchdays(matchdays(matches), seed),
    )


def forecasts_in(predictions: pd.DataFrame) -> tuple[str, ...]:
    """Names of the forecasts in a frame, in the order of its columns."""
    first, last = "p_", f"_{OUTCOMES[0]}"
    found = [
        str(column)[len(first) : -len(last)]
        for column in predictions
        if str(column).startswith(first) and str(column).endswith(last)
    ]
    return tuple(name for name in found if set(probability_columns(name)) <= set(predictions.columns))


def is_at_the_close(forecast: str) -> bool:
    """Whether a forecast is made from closing prices, according to its name or prefix."""
    return forecast.startswith(at_close())


def matchdays(matches: pd.DataFrame) -> NDArray[np.generic]:
    """The UTC date of each kick-off: the blocks of every interval, and the days bets are placed on."""
    days: NDArray[np.generic] = matches["kickoff_at"].dt.date.to_numpy()
    return days


def require_out_of_sample(predictions: pd.DataFrame) -> None:
    """Refuse forecasts of matches that their models may have learned from.

    Raises ForecastInSample unless every row names the last kick-off that was learned from (`learned_until`)
    and it lies before the row's own.
    """
    if "learned_until" not in predictions:
        raise ForecastInSample(
            "the frame does not say what its models had learned from (learned_until): take it from walk_forward"
        )
    seen = ~(predictions["learned_until"] < predictions["kickoff_at"])
    if seen.any():
        first = predictions[seen].iloc[0]
        raise ForecastInSample(
            f"{int(seen.sum())} forecasts are by models that learned from matches as late, match "
            f"{first['match_id']} of {first['kickoff_at']} among them: forecast them by walk_forward"
        )


def _ladder(matches: pd.DataFrame, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names from the worst to the best, so that tables read as a ladder."""
    outcomes = matches["outcome"].to_numpy(dtype=np.int64)
    return tuple(
        sorted(
            names, key=lambda name: log_loss(probabilities_of(matches, name), outcomes).mean(), reverse=True
        )
    )
