"""How fast results are rated, against the same formulas in plain Python; and how fast a night's matches are added.

Both rate the same simulated matches and must agree; times are processor seconds, so that other work on the machine
counts for neither. Compiling is done before: it is kept on disk, and happens once an installation.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.plain_ratings import rate_plainly
from touchline.ratings.compiled import N_STATE_COLUMNS, Floats
from touchline.ratings.engine import NUMBERS, Result, State, day_of, rate, rate_arrays

N_MATCHES, N_NEW = 240_000, 100
N_TEAMS = 900
MATCHES_A_DAY = 30
MICROSECONDS_A_DAY = 86_400_000_000


def main() -> None:
    """Measure both and print a table."""
    results = simulated_results(N_MATCHES + N_NEW)
    history, new = results[:N_MATCHES], results[N_MATCHES:]
    rate(history[:1], {})
    matches, sides = _arrays(history)
    after, array_seconds = _timed(lambda: rate_arrays(matches, sides, _unseen()), repeats=5)
    states: dict[str, State] = {}
    _, rows_seconds = _timed(lambda: rate(history, states), repeats=1)
    _, new_seconds = _timed(lambda: rate(new, dict(states)), repeats=5)
    plain, plain_seconds = _timed(lambda: _plainly(history), repeats=1)
    np.testing.assert_allclose(after, plain, rtol=0, atol=1e-9)
    table = Table(
        title=f"Rating and form features of {N_MATCHES:,} matches, {N_STATE_COLUMNS} numbers a team"
    )
    for name in ("what", "matches", "processor seconds", "matches a second", "plain Python / ours"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for what, n, seconds in (
        ("rate_arrays: numbers in, numbers out", N_MATCHES, array_seconds),
        ("rate: rows of a query in, states out", N_MATCHES, rows_seconds),
        ("rate: a night's matches, from stored states", N_NEW, new_seconds),
        ("plain Python, a dictionary a team", N_MATCHES, plain_seconds),
    ):
        ratio = (plain_seconds / N_MATCHES) / (seconds / n)
        table.add_row(what, f"{n:,}", f"{seconds:.4f}", f"{n / seconds:,.0f}", f"{ratio:.1f}")
    Console(width=120).print(table)


def simulated_results(n: int) -> list[Result]:
    """Random pairings in order of kick-off, 220 days a season; one in five without statistics or prices."""
    chance = random.Random(1)  # noqa: S311
    teams = [f"{chance.getrandbits(128):032x}" for _ in range(N_TEAMS)]
    results = []
    for number in range(n):
        home, away = chance.sample(range(N_TEAMS), 2)
        season, day = divmod(number // MATCHES_A_DAY, 220)
        known: dict[str, Any] = {}
        if chance.random() < 0.8:
            on_target = chance.randrange(12), chance.randrange(10)
            supremacy, draw = chance.gauss(0.4, 0.9), chance.gauss(-0.3, 0.2)
            known = {
                "home_shots_on_target": on_target[0], "away_shots_on_target": on_target[1],
                "home_shots": on_target[0] + chance.randrange(12), "away_shots": on_target[1] + chance.randrange(10),
                "home_corners": chance.randrange(12), "away_corners": chance.randrange(10),
                "home_yellow_cards": chance.randrange(5), "away_yellow_cards": chance.randrange(5),
                "home_red_cards": int(chance.random() < 0.1), "away_red_cards": int(chance.random() < 0.1),
                "prematch_supremacy": supremacy, "prematch_draw": draw,
                "closing_supremacy": supremacy + chance.gauss(0, 0.1), "closing_draw": draw + chance.gauss(0, 0.05),
            }  # fmt: skip
        kickoff_at = (season * 365 + day) * MICROSECONDS_A_DAY
        goals = chance.randrange(5), chance.randrange(4)
        result = Result(1 + home % 4, teams[home], teams[away], *goals, kickoff_at=kickoff_at)
        results.append(result._replace(**known))
    return results


def _arrays(results: list[Result]) -> tuple[Floats, np.ndarray[Any, np.dtype[np.int64]]]:
    """What `rate_arrays` reads."""
    places: dict[str, int] = {}
    sides = [[places.setdefault(team, len(places)) for team in each[1:3]] for each in results]
    rows = [[day_of(each.kickoff_at), *(getattr(each, name) for name in NUMBERS)] for each in results]
    return np.array(rows, dtype=np.float64), np.array(sides, dtype=np.int64)


def _unseen() -> Floats:
    return np.full((N_TEAMS, N_STATE_COLUMNS), np.nan)


def _plainly(results: list[Result]) -> Floats:
    after = np.empty((2 * len(results), N_STATE_COLUMNS))
    for number, (home, away) in enumerate(rate_plainly(results)):
        after[2 * number], after[2 * number + 1] = list(home.values()), list(away.values())
    return after


def _timed(work: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """What `work` gives, and the processor seconds of its fastest run."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        given = work()
        seconds.append(time.process_time() - started)
    return given, min(seconds)


if __name__ == "__main__":
    main()
