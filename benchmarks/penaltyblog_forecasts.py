"""penaltyblog's Dixon-Coles, pi-ratings and Elo, asked before each match as its users would ask them."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from touchline.forecasting.logistic import Floats, fit_per_outcome, per_outcome_scores, softmax
from touchline.forecasting.metrics import log_loss
from touchline.identity.competitions import competitions
from touchline.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / ".touchline" / "peers"
WINDOW = pd.Timedelta(days=3 * 365)
# Decay per day: 0.0018 is penaltyblog's own; the others surround it.
DECAYS = (0.0005, 0.001, 0.0018, 0.003)
# Weeks of the epoch begin on Thursdays, before the weekend's round. A refit before every matchday gained nothing in
# two seasons of the Bundesliga (RPS 0.2057 against 0.2056) and took twice as many fits.
REFIT_EVERY = "7D"
# Ratings start equal in every division; the first years are not used to turn them into probabilities.
WARM_UP = pd.Timedelta(days=3 * 365)
ELO_SCALE = 400.0


@dataclass(frozen=True)
class Peer:
    """What one peer says of the matches it was asked about: (n, 3) home, draw, away, NaN where it cannot say.

    Processor seconds for all of them: `fit_seconds` to learn, `predict_seconds` to answer.
    """

    probabilities: Floats
    fit_seconds: float
    predict_seconds: float


@dataclass(frozen=True)
class RatingSystem:
    """One of penaltyblog's rating systems. `gap` is what its probabilities depend on; `scale` makes it about one."""

    play: Callable[[str, str, int], None]
    gap: Callable[[str, str], float]
    probabilities: Callable[[str, str], dict[str, float]]
    scale: float


def load(folder: Path = FOLDER) -> bool:
    """Make penaltyblog's models importable; False when it is not in `folder`.

    Its `__init__` imports scrapers and plots, whose dependencies we have no use for, so the package is entered
    without running it.
    """
    if not (folder / "penaltyblog").is_dir():
        return False
    sys.path.append(str(folder))
    spec = importlib.util.find_spec("penaltyblog")
    assert spec is not None
    sys.modules.setdefault("penaltyblog", importlib.util.module_from_spec(spec))
    return True


def with_countries(matches: pd.DataFrame) -> pd.DataFrame:
    """The same matches with their country; a team's name is its own within one."""
    countries = {code: item.country for code, item in competitions().items()}
    return matches.assign(country=matches["competition"].map(countries))


def dixon_coles(matches: pd.DataFrame, asked: pd.DataFrame, decay: float) -> Peer:
    """Fitted afresh every week on three years of matches, weighted by exp(-`decay` times days).

    A fit holds the divisions of one country, down to one below those asked about, so that promoted teams are
    known. `asked` are rows of `matches`; both have `with_countries`.
    """
    probabilities = np.full((len(asked), 3), np.nan)
    fit_seconds = predict_seconds = 0.0
    row_of = pd.Series(np.arange(len(asked)), index=asked.index)
    for known, rows in _refits(matches, asked):
        began = time.process_time()
        model = _fit_dixon_coles(known, decay)
        fitted = time.process_time()
        answered = rows[rows["home_team"].isin(model.teams) & rows["away_team"].isin(model.teams)]
        if len(answered):
            grids = model.predict_many(answered["home_team"], answered["away_team"])
            probabilities[row_of[answered.index]] = [grid.home_draw_away for grid in grids]
        fit_seconds += fitted - began
        predict_seconds += time.process_time() - fitted
    return Peer(probabilities, fit_seconds, predict_seconds)


def best_decay(matches: pd.DataFrame, asked: pd.DataFrame) -> float:
    """The one of `DECAYS` with the lowest log loss in the season before those asked about."""
    season = matches.loc[matches["season"] < asked["season"].min(), "season"].max()
    before = matches[
        (matches["season"] == season) & matches["competition"].isin(asked["competition"].unique())
    ]

    def loss(decay: float) -> float:
        p = dixon_coles(matches, before, decay).probabilities
        is_known = np.isfinite(p).all(axis=1)
        return float(log_loss(p[is_known], before["outcome"].to_numpy(dtype=np.int64)[is_known]).mean())

    return min(DECAYS, key=loss)


def elo() -> RatingSystem:
    """Elo with penaltyblog's defaults (K 20, home advantage 100)."""
    from penaltyblog.ratings import Elo

    system = Elo()

    def play(home: str, away: str, goals: int) -> None:
        system.update_ratings(home, away, 1 - int(np.sign(goals)))

    def gap(home: str, away: str) -> float:
        return float(system.get_team_rating(home) - system.get_team_rating(away))

    return RatingSystem(play, gap, system.calculate_match_probabilities, ELO_SCALE)


def pi_ratings() -> RatingSystem:
    """Pi-ratings with penaltyblog's defaults (learning rates 0.15 and 0.10)."""
    from penaltyblog.ratings import PiRatingSystem

    system = PiRatingSystem()
    return RatingSystem(
        system.update_ratings, system.expected_goal_difference, system.calculate_match_probabilities, 1.0
    )


def rated(matches: pd.DataFrame, asked: pd.DataFrame, system: RatingSystem) -> tuple[Peer, Peer]:
    """Forecasts of a rating system that follows all `matches` in time order, in two ways.

    First its own probabilities; then a multinomial logistic on its gap and the square of it, fitted on the
    matches before each season. `asked` are rows of `matches`; both have `with_countries`.
    """
    own, gaps = np.full((len(matches), 3), np.nan), np.empty(len(matches))
    is_asked = matches.index.isin(asked.index)
    own_seconds = 0.0
    began = time.process_time()
    for row, (home, away, goals) in enumerate(_results(matches)):
        gaps[row] = system.gap(home, away) / system.scale
        if is_asked[row]:
            opened = time.process_time()
            said = system.probabilities(home, away)
            own[row] = said["home_win"], said["draw"], said["away_win"]
            own_seconds += time.process_time() - opened
        system.play(home, away, goals)
    rate_seconds = time.process_time() - began - own_seconds
    fitted = _from_gaps(matches, asked, np.column_stack([gaps, gaps**2]))
    return (
        Peer(own[is_asked], rate_seconds, own_seconds),
        Peer(fitted.probabilities, rate_seconds + fitted.fit_seconds, fitted.predict_seconds),
    )


def _refits(matches: pd.DataFrame, asked: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """What is known before each week, and the asked matches of that week."""
    for country, wanted in asked.groupby("country"):
        has_tier = matches["tier"] <= wanted["tier"].max() + 1
        pool = matches[(matches["country"] == country) & has_tier]
        kickoffs = pool["kickoff_at"]
        for begin, rows in wanted.groupby(wanted["kickoff_at"].dt.floor(REFIT_EVERY)):
            first, end = kickoffs.searchsorted(begin - WINDOW), kickoffs.searchsorted(begin)
            yield pool.iloc[first:end], rows


def _fit_dixon_coles(known: pd.DataFrame, decay: float) -> Any:
    from penaltyblog.models import DixonColesGoalModel, dixon_coles_weights

    weights = dixon_coles_weights(known["kickoff_at"], decay)
    model = DixonColesGoalModel(
        known["home_goals"], known["away_goals"], known["home_team"], known["away_team"], weights
    )
    # Its matrices are small: more threads only wait for each other.
    with threadpool_limits(1):
        model.fit()
    return model


def _results(matches: pd.DataFrame) -> Iterator[tuple[str, str, int]]:
    goals = matches["home_goals"] - matches["away_goals"]
    home, away = (matches["country"] + " " + matches[side] for side in ("home_team", "away_team"))
    return zip(home, away, goals, strict=True)


def _from_gaps(matches: pd.DataFrame, asked: pd.DataFrame, columns: Floats) -> Peer:
    kickoffs, outcomes = matches["kickoff_at"], matches["outcome"].to_numpy(dtype=np.int64)
    is_warm = (kickoffs >= kickoffs.min() + WARM_UP).to_numpy()
    probabilities = np.full((len(matches), 3), np.nan)
    fit_seconds = predict_seconds = 0.0
    for _, season in asked.groupby("season"):
        began = time.process_time()
        known = is_warm & (kickoffs < season["kickoff_at"].min()).to_numpy()
        coefficients = fit_per_outcome(columns[known], outcomes[known], np.ones(known.sum()), ridge=1.0)
        fitted = time.process_time()
        rows = matches.index.isin(season.index)
        probabilities[rows] = softmax(per_outcome_scores(columns[rows], coefficients))
        fit_seconds += fitted - began
        predict_seconds += time.process_time() - fitted
    return Peer(probabilities[matches.index.isin(asked.index)], fit_seconds, predict_seconds)
