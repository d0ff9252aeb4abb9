"""The forecaster: every candidate fitted and calibrated on one set of matches, ready to forecast others."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import numpy as np
import pandas as pd

from touchline.forecasting.baselines import Elo, Market
from touchline.forecasting.logistic import Floats, softmax
from touchline.forecasting.metrics import calibration_slope, log_loss
from touchline.forecasting.no_odds import NoOdds, NoOddsParameters
from touchline.forecasting.scoreline import expected_goals, grid_for
from touchline.forecasting.with_odds import WithOdds, WithOddsParameters
from touchline.overround import OverroundMethod

WITH_ODDS, NO_ODDS, ELO, MARKET = "with_odds", "no_odds", "elo", "market"
# In order of preference: the first is taken where two are equally good. All cover every match.
PRIMARY_CANDIDATES = (WITH_ODDS, NO_ODDS, ELO)

# LightGBM and numpy leave the interpreter's lock, so models of one thread each share the cores.
N_SIDE_BY_SIDE = 2
LONGEST_HOLDOUT = timedelta(days=730)
LARGEST_HOLDOUT_SHARE = 0.25
# A measured slope is mostly noise (0.025 on 14,000 matches) around slopes near 1: this many matches say 1.
SLOPE_PRIOR_MATCHES = 20_000


class Candidate(Protocol):
    """Anything that turns features into probabilities."""

    def probabilities(self, features: pd.DataFrame) -> Floats:
        """(n, 3) home, draw, away; NaN rows where it cannot say."""
        ...


@dataclass(frozen=True)
class ForecasterParameters:
    """Everything that decides what is fitted, beside the matches."""

    no_odds: NoOddsParameters = field(default_factory=NoOddsParameters)
    with_odds: WithOddsParameters = field(default_factory=WithOddsParameters)
    overround: OverroundMethod = "power"
    seed: int = 20260801


@dataclass(frozen=True)
class Forecast:
    """What one candidate says about n matches; NaN rows where it cannot say.

    `probabilities` (n, 3) home, draw, away; `expected_goals` (n, 2) home, away; `grid` (n, 11, 11) of scorelines,
    whose sums over home wins, draws and away wins are `probabilities`.
    """

    probabilities: Floats
    expected_goals: Floats
    grid: Floats


@dataclass(frozen=True)
class Forecaster:
    """Fitted candidates by name, the calibration slope of each, and which of them is the forecast to publish."""

    candidates: Mapping[str, Candidate]
    slopes: Mapping[str, float]
    primary: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the forecasts `predict` gives."""
        return tuple(self.candidates)

    def probabilities(self, features: pd.DataFrame) -> dict[str, Floats]:
        """(n, 3) by name. `with_odds` is `no_odds` where a match has no price; `market` is NaN there.

        Raises FeaturesUnavailable when columns of the feature catalogue are missing.
        """
        found = {
            name: softmax(self.slopes.get(name, 1.0) * np.log(candidate.probabilities(features)))
            for name, candidate in self.candidates.items()
        }
        if WITH_ODDS in found:
            unpriced = np.isnan(found[WITH_ODDS]).any(axis=1)
            found[WITH_ODDS][unpriced] = found[NO_ODDS][unpriced]
        return found

    def predict(self, features: pd.DataFrame) -> dict[str, Forecast]:
        """Every forecast by name, in the row order of `features` (one row a match, the catalogue's columns)."""
        forecasts = {}
        for name, probabilities in self.probabilities(features).items():
            grid = grid_for(probabilities)
            forecasts[name] = Forecast(probabilities, expected_goals(grid), grid)
        return forecasts


def fit_forecaster(matches: pd.DataFrame, parameters: ForecasterParameters) -> Forecaster:
    """Fit on played `matches` (the columns of features.training.training_frame, in time order).

    The last part of them (two years, at most a quarter) is first forecast by candidates fitted on the rest:
    that gives each calibration slope, and decides the primary forecast, which is the first of
    `PRIMARY_CANDIDATES` with the lowest log loss there. Then everything is fitted on all matches.
    Raises ValueError when there are no matches.
    """
    if matches.empty:
        raise ValueError("no played match to learn from")
    end = matches["kickoff_at"].max()
    start = max(end - LONGEST_HOLDOUT, matches["kickoff_at"].quantile(1 - LARGEST_HOLDOUT_SHARE))
    early, late = matches[matches["kickoff_at"] < start], matches[matches["kickoff_at"] >= start]
    with ThreadPoolExecutor(N_SIDE_BY_SIDE) as pool:
        jobs = [_fit_candidates(part, parameters, pool) for part in (early, matches) if not part.empty]
        *rehearsed, candidates = [{name: job.result() for name, job in each.items()} for each in jobs]
    slopes: dict[str, float] = {}
    primary = next(name for name in PRIMARY_CANDIDATES if name in candidates)
    if rehearsed:
        found = Forecaster(rehearsed[0], {}, primary).probabilities(late)
        outcomes = late["outcome"].to_numpy(dtype=np.int64)
        slopes = {name: _slope(found[name], outcomes) for name in (WITH_ODDS, NO_ODDS) if name in found}
        tried = [name for name in PRIMARY_CANDIDATES if name in found and name in candidates]
        primary = min(tried, key=lambda name: log_loss(found[name], outcomes).mean())
    return Forecaster(candidates, slopes, primary)


def _fit_candidates(
    matches: pd.DataFrame, parameters: ForecasterParameters, pool: ThreadPoolExecutor
) -> dict[str, Future[Candidate]]:
    market = Market(parameters.overround)
    jobs: dict[str, Future[Candidate]] = {}
    if np.isfinite(market.probabilities(matches)).any():
        jobs[WITH_ODDS] = pool.submit(WithOdds.fit, matches, parameters.with_odds, parameters.seed)
        jobs[MARKET] = pool.submit(lambda: market)
    jobs[NO_ODDS] = pool.submit(NoOdds.fit, matches, parameters.no_odds, parameters.seed)
    jobs[ELO] = pool.submit(Elo.fit, matches)
    return jobs


def _slope(probabilities: Floats, outcomes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    measured = calibration_slope(probabilities, outcomes)
    if not np.isfinite(measured):
        return 1.0
    n = len(outcomes)
    return float((n * measured + SLOPE_PRIOR_MATCHES) / (n + SLOPE_PRIOR_MATCHES))
