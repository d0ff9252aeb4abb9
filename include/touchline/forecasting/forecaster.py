"""The forecaster: all candidates, fitted and calibrated on one set of matches, ready to forecast others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from touchline.errors import NothingToLearn
from touchline.forecasting.calibration import Calibrator, Identity, choose_calibrator
from touchline.forecasting.design import ModelInput, numbers
from touchline.forecasting.goals import Goals
from touchline.forecasting.logistic import Floats, Ints
from touchline.forecasting.metrics import log_loss
from touchline.forecasting.prediction_sets import PredictionSets, fit_prediction_sets
from touchline.forecasting.scoreline import expected_goals, grid_matching, total_over
from touchline.forecasting.specs import (
    Candidate,
    ForecasterParameters,
    fitters,
    know_prices,
    nightly,
    primary_candidates,
    stand_ins,
    to_calibrate,
)
from touchline.forecasting.uncertainty import Intervals, Uncertainty, fit_uncertainty
from touchline.overround import remove_overround

# LightGBM and numpy release the interpreter's lock, so single-threaded models can run in parallel.
N_SIDE_BY_SIDE = 2
REHEARSED = timedelta(days=730)
LARGEST_REHEARSED_SHARE = 0.25


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Forecast:
    """One candidate's forecasts of n matches; rows are NaN where it has none.

    `probabilities` (n, 3) home, draw, away; `expected_goals` (n, 2) home, away; `grid` (n, 11, 11) of scorelines,
    whose sums over home wins, draws and away wins are `probabilities`.
    """

    probabilities: Floats
    expected_goals: Floats
    grid: Floats


@dataclass(frozen=True)
class Rehearsal:
    """Forecasts of past matches by models that had not seen them: (n, 3) by name, outcomes (n,), months (n,)."""

    probabilities: Mapping[str, Floats]
    outcomes: Ints
    months: NDArray[np.generic]

    @classmethod
    def of(cls, probabilities: Mapping[str, Floats], matches: pd.DataFrame) -> Rehearsal:
        """Forecasts of `matches`, played ones in time order."""
        months = matches["kickoff_at"].dt.tz_localize(None).to_numpy().astype("datetime64[M]")
        return cls(probabilities, matches["outcome"].to_numpy(dtype=np.int64), months)


@dataclass(frozen=True)
class Forecaster:
    """Fitted candidates by name, their calibrators, and the primary one, which is the forecast to publish.

    `totals` gives the expected goals where no price does. `sets` and `uncertainty` belong to the primary forecast and
    are None without a rehearsal.
    """

    candidates: Mapping[str, Candidate]
    calibrators: Mapping[str, Calibrator]
    primary: str
    totals: Goals | None = None
    sets: PredictionSets | None = None
    uncertainty: Uncertainty | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the forecasts that `predict` gives."""
        return tuple(self.candidates)

    def probabilities(self, features: pd.DataFrame | ModelInput) -> dict[str, Floats]:
        """(n, 3) by name. `with_odds` is `no_odds` where a match has no price; `market` is NaN there.

        Raises FeaturesUnavailable when columns of the feature catalogue are missing.
        """
        matches = features if isinstance(features, ModelInput) else ModelInput(features)
        raw = {name: candidate.probabilities(matches) for name, candidate in self.candidates.items()}
        return calibrated(raw, self.calibrators)

    def predict(self, features: pd.DataFrame) -> dict[str, Forecast]:
        """Every forecast by name, in the row order of `features` (one row a match, the catalogue's columns)."""
        matches = ModelInput(features)
        of_goals = np.full(len(features), np.nan)
        if self.totals is not None:
            of_goals = total_over(self.totals.grid(matches))
        of_market = remove_overround(numbers(features, ("market_price_over", "market_price_under")))[:, 0]
        of_market = np.where(np.isnan(of_market), of_goals, of_market)
        knowing = know_prices()
        forecasts = {}
        for name, probabilities in self.probabilities(matches).items():
            grid = grid_matching(probabilities, of_market if name in knowing else of_goals)
            forecasts[name] = Forecast(probabilities, expected_goals(grid), grid)
        return forecasts

    def intervals(self, probabilities: Mapping[str, Floats], level: float) -> Intervals | None:
        """Intervals of the true probabilities for the primary forecast of `probabilities`; None without a rehearsal."""
        if self.uncertainty is None:
            return None
        return self.uncertainty.intervals(probabilities[self.primary], _members(probabilities), level)


def fit_forecaster(matches: pd.DataFrame, parameters: ForecasterParameters) -> Forecaster:
    """Fit on played `matches` (the columns of features.training.training_frame, in time order).

    First comes a rehearsal (see `finished`): the last two years, or at most a quarter of the matches, are forecast in
    two halves, each by candidates fitted on the matches before it, as in `walk_forward`. Then everything is fitted on
    all matches. Raises ValueError when there are none.
    """
    if matches.empty:
        raise ValueError("no played match to learn from")
    everything = prepared(matches)
    end = matches["kickoff_at"].max()
    start = max(end - REHEARSED, matches["kickoff_at"].quantile(1 - LARGEST_REHEARSED_SHARE))
    kickoff_at = matches["kickoff_at"]
    fits = fitters(parameters, nightly())
    edges = [start, start + (end - start) / 2, end + pd.Timedelta(1, "us")]
    with ThreadPoolExecutor(N_SIDE_BY_SIDE) as pool:
        rehearsing = [
            (begin_fits(everything.rows(np.flatnonzero(kickoff_at < begin)), fits, pool),
             everything.rows(np.flatnonzero((kickoff_at >= begin) & (kickoff_at < until))))
            for begin, until in pairwise(edges)
            if (kickoff_at < begin).any()
        ]  # fmt: skip
        fitting = begin_fits(everything, fits, pool)
        totals = pool.submit(Goals.fit, everything, "dixon_coles", parameters.seed, with_trees=True)
        rehearsed = [(ended(begun), late) for begun, late in rehearsing]
        candidates = ended(fitting)
    return finished(candidates, _rehearsal(rehearsed), totals.result())


def _rehearsal(rehearsed: Sequence[tuple[Mapping[str, Candidate], ModelInput]]) -> Rehearsal | None:
    """The candidates' forecasts of later matches. Halves without all the candidates of the last half are left out."""
    parts = [(found, late) for found, late in rehearsed if found and not late.frame.empty]
    if not parts:
        return None
    names = list(parts[-1][0])
    parts = [(found, late) for found, late in parts if found.keys() >= set(names)]
    said = {
        name: np.concatenate([found[name].probabilities(late) for found, late in parts]) for name in names
    }
    return Rehearsal.of(said, pd.concat([late.frame for _, late in parts]))


def finished(
    candidates: Mapping[str, Candidate], rehearsal: Rehearsal | None, totals: Goals | None = None
) -> Forecaster:
    """Turn candidates and their rehearsal into a forecaster.

    The rehearsal gives each forecast that is calibrated its calibrator, and the primary one its prediction sets and
    intervals. The primary forecast is the one of `primary_candidates` with the lowest log loss in the rehearsal, or
    the first of them without a rehearsal.
    """
    able = [name for name in primary_candidates() if name in candidates]
    primary = able[0] if able else next(iter(candidates))
    if rehearsal is None:
        return Forecaster(candidates, {}, primary, totals)
    calibrators = calibrators_by(rehearsal)
    said = calibrated(rehearsal.probabilities, calibrators)
    tried = [name for name in able if name in said]
    if not tried:
        return Forecaster(candidates, calibrators, primary, totals)
    losses = {name: log_loss(said[name], rehearsal.outcomes).mean() for name in tried}
    # A forecast that is missing for some matches cannot be published for all.
    primary = min(tried, key=lambda name: losses[name] if np.isfinite(losses[name]) else np.inf)
    uncertainty = fit_uncertainty(said[primary], rehearsal.outcomes, _members(said))
    sets = fit_prediction_sets(said[primary], rehearsal.outcomes)
    return Forecaster(candidates, calibrators, primary, totals, sets, uncertainty)


def calibrators_by(rehearsal: Rehearsal) -> dict[str, Calibrator]:
    """The calibrator of each forecast that was rehearsed and is calibrated."""
    wanted = to_calibrate()
    return {
        name: choose_calibrator(found, rehearsal.outcomes, rehearsal.months).calibrator
        for name, found in rehearsal.probabilities.items()
        if name in wanted
    }


def calibrated(raw: Mapping[str, Floats], calibrators: Mapping[str, Calibrator]) -> dict[str, Floats]:
    """Calibrated forecasts (n, 3) by name. Where one is NaN, its stand-in is used."""
    found = {name: calibrators.get(name, Identity()).apply(p) for name, p in raw.items()}
    for name, stand_in in stand_ins().items():
        if name in found and stand_in in found:
            is_silent = np.isnan(found[name]).any(axis=1, keepdims=True)
            found[name] = np.where(is_silent, found[stand_in], found[name])
    return found


def prepared(matches: pd.DataFrame) -> ModelInput:
    """Matches with every design made, so that parallel fits share them."""
    made = ModelInput(matches)
    _ = made.history, made.market, made.prematch_coordinates, made.closing_coordinates
    return made


def begin_fits(
    matches: ModelInput,
    wanted: Mapping[str, Callable[[ModelInput], Candidate]],
    pool: ThreadPoolExecutor,
) -> dict[str, Future[Candidate | None]]:
    """Start the fits in a pool."""
    return {name: pool.submit(_try, fit, matches) for name, fit in wanted.items()}


def ended(begun: Mapping[str, Future[Candidate | None]]) -> dict[str, Candidate]:
    """The candidates that found something to learn from."""
    found = {name: job.result() for name, job in begun.items()}
    return {name: candidate for name, candidate in found.items() if candidate is not None}


def _try(fit: Callable[[ModelInput], Candidate], matches: ModelInput) -> Candidate | None:
    try:
        return fit(matches)
    except NothingToLearn:
        return None
    except np.linalg.LinAlgError as error:
        log.warning(
            "a candidate is left out: it cannot be fitted on %d matches: %s", len(matches.frame), error
        )
        return None


def _members(probabilities: Mapping[str, Floats]) -> Floats:
    """The forecasts (m, n, 3) whose disagreement measures the uncertainty; missing ones copy the first."""
    known = [probabilities[name] for name in nightly() if name in probabilities]
    return np.stack([np.where(np.isnan(each), known[0], each) for each in known])
