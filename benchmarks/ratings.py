"""How fast results are rated, against the plain way to write it: pandas rows, one dictionary a team.

Both rate the same simulated matches and must agree; times are processor seconds, so that other work on the machine
counts for neither.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from touchline.ratings import elo, pi
from touchline.ratings.engine import STATE_COLUMNS, Result, rate

N_MATCHES = 218_000
N_TEAMS = 900


def simulated_results() -> list[Result]:
    """Results of random pairings; one in five without shots, as in the older seasons."""
    chance = random.Random(1)  # noqa: S311
    teams = [f"{chance.getrandbits(128):032x}" for _ in range(N_TEAMS)]
    results = []
    for number in range(N_MATCHES):
        home, away = chance.sample(range(N_TEAMS), 2)
        shots = (chance.randrange(12), chance.randrange(10)) if chance.random() < 0.8 else (None, None)
        results.append(
            Result(
                1 + home % 4,
                teams[home],
                teams[away],
                chance.randrange(5),
                chance.randrange(4),
                *shots,
                number,
            )
        )
    return results


def rate_plainly(matches: pd.DataFrame) -> pd.DataFrame:
    """The baseline: `itertuples`, ratings in dictionaries by name, one dictionary a row of output."""
    states: dict[str, dict[str, float]] = {}
    output = []
    for match in matches.itertuples():
        home, away = (
            states.setdefault(team, _first_state(match.tier))
            for team in (match.home_team_id, match.away_team_id)
        )
        goals = match.home_goals - match.away_goals
        _play(home, away, "", goals, goals, elo.GOALS, pi.GOALS)
        if not pd.isna(match.home_shots_on_target) and not pd.isna(match.away_shots_on_target):
            shots = match.home_shots_on_target - match.away_shots_on_target
            _play(home, away, "_shots", shots, shots * pi.GOALS_PER_SHOT_ON_TARGET, elo.SHOTS, pi.SHOTS)
        for side in (home, away):
            side["valid_from"] = max(side.get("valid_from", match.known_at), match.known_at)
            output.append(dict(side))
    return pd.DataFrame(output)[list(STATE_COLUMNS)]


def _first_state(tier: int) -> dict[str, float]:
    return {
        "elo": elo.GOALS.initial(tier), "pi_home": pi.GOALS.initial(tier), "pi_away": pi.GOALS.initial(tier),
        "elo_shots": elo.SHOTS.initial(tier), "pi_home_shots": pi.SHOTS.initial(tier),
        "pi_away_shots": pi.SHOTS.initial(tier),
    }  # fmt: skip


def _play(
    home: dict[str, float], away: dict[str, float], kind: str, margin: float, goals: float,
    e: elo.EloParameters, p: pi.PiParameters,
) -> None:  # fmt: skip
    gap = away[f"elo{kind}"] - home[f"elo{kind}"] - e.home_advantage
    score = 1.0 if margin > 0 else 0.0 if margin < 0 else 0.5
    points = e.k0 * math.pow(1 + abs(margin), e.exponent) * (score - 1 / (1 + math.pow(10, gap / 400)))
    expected = [
        math.copysign(math.pow(10, abs(rating) / 3) - 1, rating)
        for rating in (home[f"pi_home{kind}"], away[f"pi_away{kind}"])
    ]
    error = goals - (expected[0] - expected[1])
    step = p.rate * math.copysign(3 * math.log10(1 + abs(error)), error)
    home[f"elo{kind}"] += points
    away[f"elo{kind}"] -= points
    home[f"pi_home{kind}"] += step
    home[f"pi_away{kind}"] += step * p.carry
    away[f"pi_away{kind}"] -= step
    away[f"pi_home{kind}"] -= step * p.carry


def _timed(work: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """What `work` gives, and the processor seconds of its fastest run."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        given = work()
        seconds.append(time.process_time() - started)
    return given, min(seconds)


def main() -> None:
    """Measure both and print a table."""
    results = simulated_results()
    matches = pd.DataFrame(results)
    plain, plain_seconds = _timed(lambda: rate_plainly(matches), repeats=1)
    fast, fast_seconds = _timed(lambda: rate(results, {}), repeats=3)
    pd.testing.assert_frame_equal(plain, pd.DataFrame(fast, columns=list(STATE_COLUMNS)), check_dtype=False)
    table = Table(title=f"Elo and pi-ratings of {N_MATCHES:,} matches, from goals and from shots")
    for name in ("what", "processor seconds", "matches a second", "ratio"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for name, seconds in (("touchline.ratings", fast_seconds), ("pandas itertuples", plain_seconds)):
        speed, ratio = N_MATCHES / seconds, seconds / plain_seconds
        table.add_row(name, f"{seconds:.2f}", f"{speed:,.0f}", f"{ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
