"""Where a forecast is worst: slices of the matches, with intervals that allow for the number of slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import log_loss
from touchline.forecasting.report.frame import Compared, matchdays
from touchline.forecasting.report.intervals import TAILS, Estimate
from touchline.forecasting.report.skill import Mask

FEWEST_MATCHES = 100
FEWEST_MATCHDAYS = 20
FIRST_MATCHES = 5
CONFIDENCE = (0.4, 0.5, 0.65)
CONFIDENCE_NAMES = (
    "even (below 40 %)",
    "slight favourite (40-50 %)",
    "favourite (50-65 %)",
    "strong favourite (65 %+)",
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKEND = (4, 5, 6, 0)


@dataclass(frozen=True)
class SliceResult:
    """Log loss of a forecast minus that of its reference in one slice; above zero the forecast is worse.

    `lost` has the interval for this slice alone, `together` the one that holds for all slices at once.
    """

    kind: str
    name: str
    n: int
    lost: Estimate
    together: Estimate

    @property
    def stands(self) -> bool:
        """Whether the difference is established, even though it was picked out of many."""
        return self.together.excludes_zero


def slices_of(compared: Compared) -> dict[tuple[str, str], Mask]:
    """Every slice by kind and name, using only what is known before kick-off.

    Slices by result (such as drawn matches) would prove nothing: every forecast is worst where it is surprised.
    """
    matches = compared.matches
    values = {
        "competition": matches["competition"],
        "season": matches["season"],
        "competition and season": matches["competition"] + " " + matches["season"],
        "month": matches["kickoff_at"].dt.month.map(lambda month: MONTHS[month - 1]),
        "day": matches["kickoff_at"]
        .dt.dayofweek.isin(WEEKEND)
        .map({True: "Friday to Monday", False: "midweek"}),
        "how even": _confidence(compared),
        "time of the season": _time_of_the_season(matches),
        "sides": _newcomers(matches),
    }
    return {
        (kind, name): where
        for kind, column in values.items()
        for name, where in _parts(column)
        if where.sum() >= FEWEST_MATCHES and len(set(matchdays(matches[where]))) >= FEWEST_MATCHDAYS
    }


def slice_results(compared: Compared, forecast: str, reference: str) -> list[SliceResult]:
    """Every slice of a forecast against a reference, the worst first.

    The simultaneous interval is value +- c standard errors, where c is the 95th percentile, over the draws, of the
    largest standardised deviation of any slice (Romano & Wolf 2005). It holds for all slices together, and allows for
    overlapping slices.
    """
    found = slices_of(compared)
    if not found:
        return []
    loss = {name: log_loss(compared.probabilities(name), compared.outcomes) for name in (forecast, reference)}
    masks = np.column_stack(list(found.values())).astype(np.float64)
    means, drawn = _drawn_means(compared, loss[forecast] - loss[reference], masks)
    errors = np.maximum(drawn.std(axis=0), np.finfo(np.float64).tiny)
    widest = float(np.quantile((np.abs(drawn - means) / errors).max(axis=1), 0.95))
    low, high = np.quantile(drawn, TAILS, axis=0)
    results = [
        SliceResult(
            kind, name, int(masks[:, k].sum()),
            Estimate(float(means[k]), float(low[k]), float(high[k])),
            Estimate(
                float(means[k]), float(means[k] - widest * errors[k]), float(means[k] + widest * errors[k])
            ),
        )
        for k, (kind, name) in enumerate(found)
    ]  # fmt: skip
    return sorted(results, key=lambda each: each.lost.value, reverse=True)


def _drawn_means(compared: Compared, values: Floats, masks: Floats) -> tuple[Floats, Floats]:
    """Mean of each slice (k,), and in each draw (draws, k)."""
    resamples = compared.resamples
    n_days = resamples.draws.shape[1]
    sums, sizes = (
        np.column_stack([np.bincount(resamples.day, weights * mask, n_days) for mask in masks.T])
        for weights in (values, np.ones(len(values)))
    )
    # With twenty or more matchdays, a draw without any of them does not happen, but must not divide by zero.
    drawn = (resamples.draws @ sums) / np.maximum(resamples.draws @ sizes, 1.0)
    return sums.sum(axis=0) / sizes.sum(axis=0), drawn


def _parts(column: pd.Series[str]) -> Iterator[tuple[str, Mask]]:
    for name in sorted(column.dropna().unique()):
        yield str(name), (column == name).to_numpy(dtype=np.bool_)


def _confidence(compared: Compared) -> pd.Series[str]:
    """Slices by the reference's highest probability, and the side that has it."""
    p = compared.probabilities(compared.reference)
    level = np.searchsorted(CONFIDENCE, p.max(axis=1), side="right")
    sides = np.where(p[:, 0] >= p[:, 2], "home ahead", "away ahead")
    return pd.Series([f"{CONFIDENCE_NAMES[each]}, {side}" for each, side in zip(level, sides, strict=True)])


def _time_of_the_season(matches: pd.DataFrame) -> pd.Series[str]:
    """Slices by the matches a side has played, counted in the frame, which may begin within a season."""
    sides = pd.concat([matches["home_team"], matches["away_team"]])
    season = pd.concat([matches["competition"] + matches["season"]] * 2)
    order = pd.concat([matches["kickoff_at"]] * 2)
    appearances = pd.DataFrame({"side": sides, "season": season, "kickoff_at": order}).reset_index(
        names="row"
    )
    appearances = appearances.sort_values(["kickoff_at", "row"])
    appearances["played"] = appearances.groupby(["season", "side"]).cumcount()
    fewest = appearances.groupby("row")["played"].min().sort_index()
    return (fewest < FIRST_MATCHES).map({True: f"first {FIRST_MATCHES} matches of a side", False: "later"})


def _newcomers(matches: pd.DataFrame) -> pd.Series[str]:
    """Promoted or relegated sides: those that were not in the competition in the frame's previous season."""
    names = pd.Series(None, index=matches.index, dtype=object)
    for _, competition in matches.groupby("competition"):
        before: set[str] | None = None
        for _, season in competition.groupby("season"):
            if before is not None:
                new = ~(season["home_team"].isin(before) & season["away_team"].isin(before))
                names[season.index] = new.map(
                    {True: "a side new to the competition", False: "both sides known"}
                )
            before = set(season["home_team"]) | set(season["away_team"])
    return names
