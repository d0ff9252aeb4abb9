"""The ratings engine: results in order of kick-off in, the state of both teams after each match out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from touchline.ratings import elo, pi

# A plain tuple: building a named one costs as much as rating.
State = tuple[float, float, float, float, float, float]
STATE_COLUMNS = ("elo", "elo_shots", "pi_home", "pi_away", "pi_home_shots", "pi_away_shots")

PARAMETERS = f"{elo.GOALS} {elo.SHOTS} {pi.GOALS} {pi.SHOTS} {pi.GOALS_PER_SHOT_ON_TARGET}"


class Result(NamedTuple):
    """A played match; shots on target may be missing."""

    tier: int
    home_team_id: str
    away_team_id: str
    home_goals: int
    away_goals: int
    home_shots_on_target: int | None
    away_shots_on_target: int | None


def rate(
    results: Iterable[tuple[int, str, str, int, int, int | None, int | None]], states: dict[str, State]
) -> list[State]:
    """Rate results (fields as in Result) given in order of (kickoff_at, match_id); updates `states` by team.

    Returns the states after each match: home side, away side, home side, ... The state after a match depends on the
    two teams' states before it and the result alone, so going on from stored states equals rating everything again,
    bit for bit.
    """
    after: list[State] = []
    for tier, home_id, away_id, home_goals, away_goals, home_shots, away_shots in results:
        home_elo, home_elo_shots, home_at_home, home_at_away, home_shots_at_home, home_shots_at_away = (
            states.get(home_id) or newcomer(tier)
        )
        away_elo, away_elo_shots, away_at_home, away_at_away, away_shots_at_home, away_shots_at_away = (
            states.get(away_id) or newcomer(tier)
        )
        goals = home_goals - away_goals
        points = elo.change(home_elo, away_elo, goals, elo.GOALS)
        step = pi.step(home_at_home, away_at_away, goals, pi.GOALS)
        if home_shots is None or away_shots is None:
            shot_points = shot_step = 0.0
        else:
            shots = home_shots - away_shots
            shot_points = elo.change(home_elo_shots, away_elo_shots, shots, elo.SHOTS)
            shot_step = pi.step(
                home_shots_at_home, away_shots_at_away, shots * pi.GOALS_PER_SHOT_ON_TARGET, pi.SHOTS
            )
        carried, shot_carried = step * pi.GOALS.carry, shot_step * pi.SHOTS.carry
        home = (
            home_elo + points, home_elo_shots + shot_points, home_at_home + step, home_at_away + carried,
            home_shots_at_home + shot_step, home_shots_at_away + shot_carried,
        )  # fmt: skip
        away = (
            away_elo - points, away_elo_shots - shot_points, away_at_home - carried, away_at_away - step,
            away_shots_at_home - shot_carried, away_shots_at_away - shot_step,
        )  # fmt: skip
        states[home_id], states[away_id] = home, away
        after += (home, away)
    return after


def newcomer(tier: int) -> State:
    """The state before its first match of a team that first plays in a competition of `tier`."""
    pi_goals, pi_shots = pi.GOALS.initial(tier), pi.SHOTS.initial(tier)
    return (elo.GOALS.initial(tier), elo.SHOTS.initial(tier), pi_goals, pi_goals, pi_shots, pi_shots)
