"""Forecasting against the plain way to write it: row-by-row solvers, and one default LightGBM model.

Solvers are compared by the match, and must agree. The fit is one season of the walk-forward: everything that is
fitted (rehearsal, calibration, all candidates) on as many matches as precede a real season of all divisions.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import lightgbm
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.optimize import brentq, fsolve

from touchline.features.catalogue import FEATURES
from touchline.forecasting.forecaster import fit_forecaster
from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import OUTCOMES
from touchline.forecasting.scoreline import grid_for, match_result, scoreline_grid
from touchline.forecasting.scoreline_markets import HANDICAP_LINES, markets_of
from touchline.forecasting.specs import ForecasterParameters
from touchline.overround import remove_overround

N_MATCHES, N_BY_ROW = 20_000, 200
N_TRAINING, N_SEASON, N_FIXTURES = 145_000, 7_800, 10_000
PLAIN_TREES = 350


def main() -> None:
    """Print seconds and ratios."""
    table = Table(title="Forecasting")
    for name in ("what", "matches", "wall s", "processor s", "baseline", "per match, baseline / ours"):
        table.add_column(name, justify="left" if name in ("what", "baseline") else "right")
    # As spread as football's, and all of them such that goal rates can give them: the solvers have to agree.
    rates = np.exp(np.random.default_rng(1).normal([0.35, 0.1], 0.35, (N_MATCHES, 2)))
    probabilities = match_result(scoreline_grid(rates))
    prices = 1 / (probabilities**0.93 / (probabilities**0.93).sum(axis=1, keepdims=True) * 1.05)
    grids = grid_for(probabilities)
    for name, fast, plain, baseline in (
        ("overround by the power method", lambda rows: remove_overround(prices[:rows]),
         lambda rows: np.vstack([_power_by_row(row) for row in prices[:rows]]), "scipy brentq, row by row"),
        ("scoreline grid of given probabilities", lambda rows: match_result(grid_for(probabilities[:rows])),
         lambda rows: np.vstack([_grid_by_row(row) for row in probabilities[:rows]]), "scipy fsolve, row by row"),
        ("Asian handicaps of scoreline grids", lambda rows: markets_of(grids[:rows]).handicap[:, :, 0],
         lambda rows: np.vstack([_handicaps_by_row(grid) for grid in grids[:rows]]), "two loops, row by row"),
    ):  # fmt: skip
        wall, processor, found = _timed(lambda fast=fast: fast(N_MATCHES))  # type: ignore[misc]
        plain_wall, _, expected = _timed(lambda plain=plain: plain(N_BY_ROW))  # type: ignore[misc]
        assert np.allclose(found[:N_BY_ROW], expected, atol=1e-6), f"{name}: the two disagree"
        ratio = (plain_wall / N_BY_ROW) / (wall / N_MATCHES)
        table.add_row(name, f"{N_MATCHES:,}", f"{wall:.2f}", f"{processor:.2f}", baseline, f"{ratio:.0f}")
    matches, season = _matches(N_TRAINING), _matches(N_SEASON)
    wall, processor, _ = _timed(
        lambda: fit_forecaster(matches, ForecasterParameters()).probabilities(season)["with_odds"]
    )
    forecaster = fit_forecaster(matches, ForecasterParameters())
    fixtures = _matches(N_FIXTURES)
    batch_wall, batch_processor, _ = _timed(
        lambda: np.stack(
            [markets_of(each.grid).total_goals[:, 0, 0] for each in forecaster.predict(fixtures).values()]
        )
    )
    table.add_row(
        "all forecasts of fixtures, with grids and markets", f"{N_FIXTURES:,}", f"{batch_wall:.2f}",
        f"{batch_processor:.2f}", "", "",
    )  # fmt: skip
    plain_wall, _, _ = _timed(lambda: _plain_fit(matches, season))
    table.add_row(
        "one season: fit twice, calibrate, forecast", f"{N_TRAINING:,} + {N_SEASON:,}", f"{wall:.1f}",
        f"{processor:.1f}", f"LightGBM, {PLAIN_TREES} trees of 31 leaves, 2 threads", f"{plain_wall / wall:.1f}",
    )  # fmt: skip
    Console(width=140).print(table)


def _timed(work: Callable[[], Floats]) -> tuple[float, float, Floats]:
    wall, processor = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - wall, time.process_time() - processor, found


def _power_by_row(prices: Floats) -> Floats:
    exponent = brentq(lambda c: (prices**-c).sum() - 1, 0.2, 5.0, xtol=1e-13)
    return np.asarray(prices**-exponent, dtype=np.float64)


def _grid_by_row(probabilities: Floats) -> Floats:
    def gap(logs: Floats) -> Floats:
        return (match_result(scoreline_grid(np.exp(logs)[None]))[0] - probabilities)[[0, 1]]

    return match_result(scoreline_grid(np.exp(fsolve(gap, np.log([1.4, 1.2]), xtol=1e-10))[None]))[0]


def _handicaps_by_row(grid: Floats) -> Floats:
    """Probability that the stake is won in full on each line."""
    found = np.zeros(len(HANDICAP_LINES))
    for home, line_of_grid in enumerate(grid.tolist()):
        for away, p in enumerate(line_of_grid):
            for k, line in enumerate(HANDICAP_LINES):
                found[k] += p * (home - away + line > 0.25)
    return found


def _matches(n: int) -> pd.DataFrame:
    """Random features with a signal in Elo and prices: what is timed does not depend on what they mean."""
    rng = np.random.default_rng(n)
    gap = np.clip(rng.normal(0, 0.6, n), -1.8, 1.8)
    truth = match_result(scoreline_grid(np.column_stack([np.exp(0.35 + gap / 2), np.exp(0.1 - gap / 2)])))
    matches = pd.DataFrame(rng.normal(0, 1, (n, len(FEATURES))), columns=list(FEATURES))
    matches["home_elo"], matches["away_elo"] = 1500 + 90 * gap, 1500 - 90 * gap
    for prices in ("market_price", "closing_price", "closing_pinnacle"):
        for k, outcome in enumerate(OUTCOMES):
            matches[f"{prices}_{outcome}"] = 1 / (truth[:, k] * 1.04)
    matches["outcome"] = (rng.random(n)[:, None] > truth.cumsum(axis=1)).sum(axis=1)
    matches["kickoff_at"] = pd.date_range("2000-08-01", "2019-06-01", periods=n, tz="UTC")
    return matches


def _plain_fit(matches: pd.DataFrame, season: pd.DataFrame) -> Floats:
    model = lightgbm.LGBMClassifier(n_estimators=PLAIN_TREES, learning_rate=0.03, n_jobs=2, verbosity=-1)
    model.fit(matches[list(FEATURES)], matches["outcome"])
    return np.asarray(model.predict_proba(season[list(FEATURES)]), dtype=np.float64)


if __name__ == "__main__":
    main()
