"""The ratings engine: results in order of kick-off in, the state of both teams after each match out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from touchline.ratings import elo, pi


class Result(NamedTuple):
    """A played match. Shots on target may be missing; times are UTC."""

    match_id: UUID
    kickoff_at: datetime
    known_at: datetime
    tier: int
    home_team_id: UUID
    away_team_id: UUID
    home_goals: int
    away_goals: int
    home_shots_on_target: int | None
    away_shots_on_target: int | None
    input_hash: str


class TeamState(NamedTuple):
    """Ratings of a team after a match; `valid_from` is when everything in them was known (UTC)."""

    elo: float
    elo_shots: float
    pi_home: float
    pi_away: float
    pi_home_shots: float
    pi_away_shots: float
    valid_from: datetime


class RatedTeam(NamedTuple):
    """One row of features.team_rating."""

    team_id: UUID
    match_id: UUID
    kickoff_at: datetime
    input_hash: str
    state: TeamState


def rate(results: Iterable[Result], states: dict[UUID, TeamState]) -> Iterator[RatedTeam]:
    """Rate results given in order of (kickoff_at, match_id); `states` is updated in place.

    Yields two rows a match, home side first. The state after a match depends on the two teams' states before it
    and the result alone, so going on from stored states equals rating everything again, bit for bit.
    """
    for result in results:
        home = states.get(result.home_team_id) or _newcomer(result)
        away = states.get(result.away_team_id) or _newcomer(result)
        after = _play(home, away, result)
        for team_id, state in zip((result.home_team_id, result.away_team_id), after, strict=True):
            states[team_id] = state
            yield RatedTeam(team_id, result.match_id, result.kickoff_at, result.input_hash, state)


def _newcomer(result: Result) -> TeamState:
    pi_goals, pi_shots = pi.GOALS.initial(result.tier), pi.SHOTS.initial(result.tier)
    return TeamState(
        elo.GOALS.initial(result.tier), elo.SHOTS.initial(result.tier), pi_goals, pi_goals, pi_shots, pi_shots,
        result.known_at,
    )  # fmt: skip


def _play(home: TeamState, away: TeamState, result: Result) -> tuple[TeamState, TeamState]:
    goals = result.home_goals - result.away_goals
    points = elo.change(home.elo, away.elo, goals, elo.GOALS)
    home_pi, away_pi = pi.update((home.pi_home, home.pi_away), (away.pi_home, away.pi_away), goals, pi.GOALS)
    home_pi_shots, away_pi_shots = (
        (home.pi_home_shots, home.pi_away_shots), (away.pi_home_shots, away.pi_away_shots),
    )  # fmt: skip
    shot_points = 0.0
    if result.home_shots_on_target is not None and result.away_shots_on_target is not None:
        shots = result.home_shots_on_target - result.away_shots_on_target
        shot_points = elo.change(home.elo_shots, away.elo_shots, shots, elo.SHOTS)
        home_pi_shots, away_pi_shots = pi.update(
            home_pi_shots, away_pi_shots, shots * pi.GOALS_PER_SHOT_ON_TARGET, pi.SHOTS
        )
    return (
        TeamState(
            home.elo + points, home.elo_shots + shot_points, *home_pi, *home_pi_shots,
            max(home.valid_from, result.known_at),
        ),
        TeamState(
            away.elo - points, away.elo_shots - shot_points, *away_pi, *away_pi_shots,
            max(away.valid_from, result.known_at),
        ),
    )  # fmt: skip
