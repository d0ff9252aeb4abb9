"""Walk-forward: each window is forecast by models that saw only matches from before it began."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from touchline.forecasting.calibration import Calibrator
from touchline.forecasting.design import ModelInput
from touchline.forecasting.forecaster import (
    N_SIDE_BY_SIDE,
    REHEARSED,
    Rehearsal,
    begin_fits,
    calibrated,
    calibrators_by,
    ended,
    prepared,
)
from touchline.forecasting.kept_fits import KeptFits
from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import OUTCOMES
from touchline.forecasting.specs import (
    Candidate,
    ForecasterParameters,
    fitted,
    fitters,
    ladder,
    read_off,
    renamed,
    stand_ins,
)
from touchline.overround import remove_overround

IDENTITY = ["match_id", "competition", "season", "kickoff_at", "home_team", "away_team", "outcome"]
# Prices that a bettor could have had: their prefix in a training frame, and their prefix in the result.
BETTING_PRICES = {
    "market_price": "price", "best_price": "best_price",
    "closing_price": "closing_price", "best_closing_price": "best_closing_price",
}  # fmt: skip

log = logging.getLogger(__name__)

Refit = Literal["season", "weekly"]
REFITS: tuple[Refit, ...] = get_args(Refit)
# How many windows' models are fitted at once: enough to use the cores, few enough to keep their matches in memory.
WINDOWS_AHEAD = 2
SLACK = timedelta(days=60)

# Called with the finished window, the number of finished windows, and their total.
WindowDone = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Window:
    """Matches of one season that kick off from `start` until before `end`, forecast by the same models."""

    name: str
    season: str
    start: datetime
    end: datetime
    is_rehearsal: bool


def walk_forward(
    matches: pd.DataFrame,
    seasons: Sequence[str],
    parameters: ForecasterParameters,
    on_window: WindowDone | None = None,
    *,
    refit: Refit = "season",
    names: Sequence[str] | None = None,
    store: Path | None = None,
    kept: KeptFits | None = None,
) -> pd.DataFrame:
    """Forecast each of `seasons` by models fitted on the matches that kicked off before it, or before each week of it.

    `matches` is a training frame (played matches in time order). Its features know only what was observed before each
    kick-off, so ratings and form are updated through the season while the models stay fixed. Seasons that began in
    the two years before the first are forecast in the same way: each window is calibrated on the two years before it.
    `names` says which of `specs.fitted` to fit, all of them if None. Finished windows are kept in the folder `store`
    and not computed again; what is `kept` of a window's fits is not fitted again, whatever the matches after them are.

    Returns one row per match with `IDENTITY`, learned_until (the last kick-off that was learned from), the prices of
    `BETTING_PRICES` (<prefix>_<outcome>, NaN where there is none), and p_<forecast>_<outcome> for every name in
    `specs.ladder()` that was fitted or read off, NaN where there is no forecast. A season without earlier matches is
    left out. Raises ValueError when that leaves none.
    """
    windows = _windows(matches, seasons, refit)
    if not any(not window.is_rehearsal for window in windows):
        raise ValueError(f"no match was played before {min(seasons)}: nothing to learn from")
    everything = prepared(matches)
    wanted = fitted() if names is None else tuple(names)
    fits = fitters(parameters, wanted)
    raw: dict[Window, pd.DataFrame] = {}
    with ThreadPoolExecutor(N_SIDE_BY_SIDE) as pool:
        ahead: list[tuple[Window, Path | None, dict[str, Future[Candidate | None]]]] = []
        waiting = list(windows)
        while waiting or ahead:
            while waiting and len(ahead) < WINDOWS_AHEAD:
                window = waiting.pop(0)
                known = _kept(store, window)
                if known is not None:
                    raw[window] = known
                    continue
                before = everything.rows(np.flatnonzero(matches["kickoff_at"] < window.start))
                place = None if kept is None else kept.path(before.frame, parameters, wanted)
                fits_before = None if kept is None or place is None else kept.read(place)
                if fits_before is not None:
                    raw[window] = _forecast(everything.rows(_places(matches, window)), fits_before)
                    continue
                ahead.append((window, place, begin_fits(before, fits, pool)))
            if ahead:
                window, place, begun = ahead.pop(0)
                candidates = ended(begun)
                raw[window] = _forecast(everything.rows(_places(matches, window)), candidates)
                _keep(store, window, raw[window])
                if kept is not None and place is not None:
                    kept.keep(place, candidates)
            if on_window is not None:
                on_window(window.name, len(raw), len(windows))
    parts = [_published(raw, window, matches, parameters) for window in windows if not window.is_rehearsal]
    return pd.concat(parts, ignore_index=True)


def probabilities_of(predictions: pd.DataFrame, forecast: str) -> Floats:
    """The (n, 3) probabilities of one forecast in a frame of `walk_forward`."""
    return predictions[probability_columns(forecast)].to_numpy(dtype=np.float64)


def probability_columns(forecast: str) -> list[str]:
    """Names of the three columns of a forecast in a frame of `walk_forward`."""
    return [f"p_{forecast}_{outcome}" for outcome in OUTCOMES]


def _windows(matches: pd.DataFrame, seasons: Sequence[str], refit: Refit) -> list[Window]:
    """The windows in time order. Seasons that began in the two years before the first wanted one are rehearsals."""
    wanted = sorted(seasons)
    began = matches.groupby("season")["kickoff_at"].min().sort_values()
    first_asked, first_ever = began[wanted].min(), began.iloc[0]
    # A season may begin some weeks earlier than two years before.
    is_near = (began < first_asked) & (began >= first_asked - REHEARSED - SLACK)
    earlier = [season for season in began.index[is_near] if season not in wanted]
    windows = []
    for season in [*earlier, *wanted]:
        kickoffs = matches.loc[matches["season"] == season, "kickoff_at"]
        edges = [kickoffs.min(), kickoffs.max() + pd.Timedelta(1, "us")]
        is_rehearsal = season in earlier
        if refit == "weekly" and not is_rehearsal:
            # By Tuesday noon, the results of the weekend and of Monday night are known.
            tuesdays = pd.date_range(edges[0].normalize(), edges[1], freq="W-TUE") + pd.Timedelta(12, "h")
            edges = [edges[0], *(noon for noon in tuesdays if edges[0] < noon < edges[1]), edges[1]]
        for start, end in pairwise(edges):
            name = f"{season} from {start.date()}" if refit == "weekly" else season
            if start > first_ever and ((kickoffs >= start) & (kickoffs < end)).any():
                windows.append(Window(name, season, start, end, is_rehearsal))
    return windows


def _places(matches: pd.DataFrame, window: Window) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    kickoff_at = matches["kickoff_at"]
    return np.flatnonzero(
        (matches["season"] == window.season) & (kickoff_at >= window.start) & (kickoff_at < window.end)
    )


def _forecast(tested: ModelInput, candidates: Mapping[str, Candidate]) -> pd.DataFrame:
    """Each candidate's forecasts before calibration."""
    return _frame(
        tested.frame[IDENTITY], {name: each.probabilities(tested) for name, each in candidates.items()}
    )


def _frame(told: pd.DataFrame, found: Mapping[str, Floats]) -> pd.DataFrame:
    columns = {
        column: p[:, k] for name, p in found.items() for k, column in enumerate(probability_columns(name))
    }
    told = told.reset_index(drop=True)
    return pd.concat([told, pd.DataFrame(columns, index=told.index)], axis=1)


def _published(
    raw: Mapping[Window, pd.DataFrame],
    window: Window,
    matches: pd.DataFrame,
    parameters: ForecasterParameters,
) -> pd.DataFrame:
    """A window's forecasts, calibrated on the forecasts of the two years before it."""
    tested = matches.iloc[_places(matches, window)]
    found = {name: probabilities_of(raw[window], name) for name in _fitted_in(raw[window])}
    past = [
        frame[(frame["kickoff_at"] >= window.start - REHEARSED) & (frame["kickoff_at"] < window.start)]
        for other, frame in raw.items()
        if other.start < window.start
    ]
    calibrators: dict[str, Calibrator] = {}
    if past:
        known = pd.concat(past, ignore_index=True).sort_values("kickoff_at", kind="stable")
        said = {name: probabilities_of(known, name) for name in _fitted_in(known) if name in found}
        calibrators = calibrators_by(Rehearsal.of(said, known))
    found = calibrated(found, calibrators)
    for name, stand_in in stand_ins().items():
        # A forecast that found nothing to learn (no training match had a price) is replaced for every match.
        if stand_in in found:
            found.setdefault(name, found[stand_in])
    for name, ladder_name in renamed().items():
        found[ladder_name] = found.pop(name, np.full((len(tested), len(OUTCOMES)), np.nan))
    for name, prices in read_off().items():
        closing = tested[[f"{prices}_{outcome}" for outcome in OUTCOMES]].astype("float64")
        found[name] = remove_overround(closing, parameters.overround)
    known_until = matches.loc[matches["kickoff_at"] < window.start, "kickoff_at"].max()
    told = tested[IDENTITY].assign(learned_until=known_until).join(_prices(tested))
    return _frame(told, {name: found[name] for name in ladder() if name in found})


def _prices(tested: pd.DataFrame) -> pd.DataFrame:
    names = {
        f"{source}_{outcome}": f"{name}_{outcome}"
        for source, name in BETTING_PRICES.items()
        for outcome in OUTCOMES
    }
    return tested.reindex(columns=list(names)).astype("float64").rename(columns=names)


def _fitted_in(raw: pd.DataFrame) -> list[str]:
    """Names of the fitted forecasts in a frame of uncalibrated ones."""
    return [name for name in fitted() if probability_columns(name)[0] in raw]


def _path(store: Path, window: Window) -> Path:
    name = f"{window.season}|{window.start.isoformat()}|{window.end.isoformat()}"
    return (
        store / f"{window.season.replace('/', '-')}-{hashlib.sha256(name.encode()).hexdigest()[:10]}.parquet"
    )


def _kept(store: Path | None, window: Window) -> pd.DataFrame | None:
    if store is None or not _path(store, window).exists():
        return None
    try:
        return pd.read_parquet(_path(store, window))
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read (%s): the window is computed again", _path(store, window), error)
        return None


def _keep(store: Path | None, window: Window, forecast: pd.DataFrame) -> None:
    """Write a window atomically, because a half-written file would be taken for a finished one."""
    if store is None:
        return
    store.mkdir(parents=True, exist_ok=True)
    path = _path(store, window)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    with draft.open("wb") as file:
        forecast.to_parquet(file, index=False)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
