"""How long it takes to play the season ahead of 22 competitions 10,000 times, with every match still to come."""

from __future__ import annotations

import csv
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from touchline.forecasting.logistic import Floats
from touchline.forecasting.scoreline import scoreline_grid
from touchline.forecasting.season import N_SIMULATIONS, SeasonSoFar, matches_left, simulate_season
from touchline.forecasting.season_format import STRENGTH_DEVIATION, format_of
from touchline.identity.competitions import SEED, competitions

SEASON = "2022/23"


def main() -> None:
    """Print seconds by competition and together."""
    formats, places = (_seed(name) for name in ("season_format", "season_place"))
    table = Table(title=f"The season ahead, {N_SIMULATIONS:,} times")
    for name in ("competition", "matches left", "wall s", "processor s"):
        table.add_column(name, justify="left" if name == "competition" else "right")
    whole = np.zeros(3)
    for code in (each.code for each in competitions().values() if not each.is_simulated):
        format_ = format_of(formats, places, code, SEASON)
        if format_ is None:
            continue
        n = format_.n_teams
        season = SeasonSoFar(
            tuple(map(str, range(n))), np.zeros((0, 4), dtype=np.int64), (), (), np.zeros(n, dtype=np.int64)
        )
        n_left = matches_left(season, format_).n_left(n)
        wall, processor = time.perf_counter(), time.process_time()
        simulate_season(
            season, format_, _grids(n), STRENGTH_DEVIATION(float(n_left.mean())), N_SIMULATIONS, [1]
        )
        row = np.array([n_left.sum() / 2, time.perf_counter() - wall, time.process_time() - processor])
        whole += row
        table.add_row(code, f"{row[0]:,.0f}", *(f"{seconds:.2f}" for seconds in row[1:]))
    table.add_row("together", f"{whole[0]:,.0f}", *(f"{seconds:.1f}" for seconds in whole[1:]))
    Console(width=100).print(table)


def _grids(n_teams: int) -> Floats:
    """Of teams as different as those of a league."""
    strengths = np.random.default_rng(n_teams).normal(0, 0.2, n_teams)
    gaps = strengths[:, None] - strengths[None, :]
    rates = np.exp(np.stack([0.35 + gaps, 0.1 - gaps], axis=-1)).reshape(-1, 2)
    return scoreline_grid(rates).reshape(n_teams, n_teams, 11, 11)


def _seed(name: str) -> list[dict[str, str]]:
    with SEED.with_name(f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
