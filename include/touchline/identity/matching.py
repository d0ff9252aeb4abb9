"""Decide which team a source means by a name: by a settled link, the same name, a similar name, or the schedule.

Each rule decides only where it is sure; names are one to one within a competition and season. A wrong link is worse
than one that waits for a person, so the remaining names are returned as doubtful, with their best candidate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from touchline.identity.names import normalise, similarity
from touchline.identity.schedule import Agreement, ScheduledMatch, Schedules

Method = Literal["exact", "normalised", "fuzzy", "schedule", "manual"]


@dataclass(frozen=True)
class Rules:
    """What it takes to settle a name. Likeness is from 0 to 100, shares from 0 to 1."""

    threshold: float = 88.0
    margin: float = 8.0
    min_match_days: int = 6
    min_share: float = 0.75
    share_margin: float = 0.25
    # A name is taken back when its schedule agrees less than this with its team and well with another team.
    contradiction: float = 0.5


@dataclass(frozen=True)
class Decision:
    """What is meant by `alias`. `team` is None when that is doubtful; `candidate` is then the best guess.

    `score` is the likeness of the names, or, when `method` is schedule, 100 times the share of agreeing match days.
    `runner_up` is the next best team, with a score of the same kind. `method` is None exactly when `team` is.
    """

    alias: str
    team: str | None
    method: Method | None
    score: float | None = None
    runner_up: str | None = None
    runner_up_score: float | None = None
    candidate: str | None = None


@dataclass(frozen=True)
class Names:
    """What is known of one competition and season, in the names of the anchor source.

    `teams` take part; `elsewhere` are the country's other teams. A name is linked to one of those only if it is the
    same name; otherwise they are only rivals for it. Likeness of names counts only when `is_complete`: `teams` are
    then (nearly) all that take part.
    """

    teams: frozenset[str]
    elsewhere: frozenset[str] = frozenset()
    is_complete: bool = True
    schedule: frozenset[ScheduledMatch] = frozenset()


@dataclass(frozen=True)
class _Ranked:
    best: str
    score: float
    runner_up: str | None
    runner_up_score: float


@dataclass
class _Board:
    """Decisions so far, and what is still free."""

    names: Names
    rules: Rules
    open: list[str]
    decisions: dict[str, Decision] = field(default_factory=dict)

    @property
    def links(self) -> dict[str, str]:
        return {alias: made.team for alias, made in self.decisions.items() if made.team is not None}

    def accept(self, decisions: Sequence[Decision]) -> None:
        self.decisions.update((made.alias, made) for made in decisions)
        self.open = [alias for alias in self.open if alias not in self.decisions]

    def free_teams(self, *, elsewhere: bool = False) -> list[str]:
        pool = self.names.teams | self.names.elsewhere if elsewhere else self.names.teams
        return sorted(pool - set(self.links.values()))


def match(
    aliases: Collection[str],
    names: Names,
    settled: Mapping[str, str] | None = None,
    schedule: Collection[ScheduledMatch] = (),
    withheld: Collection[str] = (),
    rules: Rules | None = None,
) -> dict[str, Decision]:
    """Decide every alias of one source in one competition and season; the order of the input does not matter.

    `settled` links are kept, whatever else is known. `withheld` aliases are left for a person to decide.
    `schedule` is the source's own fixture list. No new decision takes a team that another alias already has.
    """
    settled = settled or {}
    wanted = sorted(set(aliases))
    board = _Board(names, rules or Rules(), wanted)
    known = [alias for alias in wanted if alias in settled]
    board.accept(
        [Decision(alias, settled[alias], "exact", 100.0, candidate=settled[alias]) for alias in known]
    )
    kept = [alias for alias in board.open if alias in withheld]
    board.open = [alias for alias in board.open if alias not in withheld]
    board.accept(_same_text(board))
    board.accept(_same_name(board))
    if names.is_complete:
        board.accept(_like_name(board))
    schedules = Schedules(schedule, names.schedule)
    _take_back(board, schedules, settled)
    while found := _same_schedule(board, schedules):
        board.accept(found)
    board.open = sorted({*board.open, *kept})
    board.accept([_doubtful(board, alias) for alias in board.open])
    return {alias: board.decisions[alias] for alias in wanted}


def _same_text(board: _Board) -> list[Decision]:
    free = set(board.free_teams(elsewhere=True))
    return [Decision(alias, alias, "exact", 100.0, candidate=alias) for alias in board.open if alias in free]


def _same_name(board: _Board) -> list[Decision]:
    """Same name up to case, accents and legal form, if exactly one alias and one team of the country share it."""
    known = board.names.teams | board.names.elsewhere
    n_teams = Counter(normalise(team).key for team in known)
    n_aliases = Counter(normalise(alias).key for alias in board.open)
    free = {normalise(team).key: team for team in board.free_teams(elsewhere=True)}
    found = []
    for alias in board.open:
        key = normalise(alias).key
        if key[0] and key in free and n_teams[key] == n_aliases[key] == 1:
            found.append(Decision(alias, free[key], "normalised", 100.0, candidate=free[key]))
    return found


def _like_name(board: _Board) -> list[Decision]:
    rivals = board.free_teams(elsewhere=True)
    found = []
    for alias, ranked in _mutual(board, board.open, rivals, similarity, board.rules.margin).items():
        if ranked.best in board.names.teams and ranked.score >= board.rules.threshold:
            found.append(_linked(alias, "fuzzy", ranked))
    return found


def _same_schedule(board: _Board, schedules: Schedules) -> list[Decision]:
    links, rules = board.links, board.rules
    agreements: dict[tuple[str, str], Agreement] = {
        (alias, team): schedules.agreement(alias, team, links)
        for alias in board.open
        for team in board.free_teams()
    }

    def share(alias: str, team: str) -> float:
        return 100 * agreements[alias, team].share

    found = []
    mutual = _mutual(board, board.open, board.free_teams(), share, 100 * rules.share_margin)
    for alias, ranked in mutual.items():
        is_enough = agreements[alias, ranked.best].n_agreeing >= rules.min_match_days
        if is_enough and ranked.score >= 100 * rules.min_share:
            found.append(_linked(alias, "schedule", ranked))
    return found


def _take_back(board: _Board, schedules: Schedules, settled: Mapping[str, str]) -> None:
    """Undo links made by name where the schedule contradicts them and supports another team.

    A schedule that fits no team at all (the source's dates are wrong) undoes nothing.
    """
    links, rules = board.links, board.rules
    for alias, team in links.items():
        if alias in settled:
            continue
        others = {name: held for name, held in links.items() if name != alias}
        own = schedules.agreement(alias, team, others)
        if own.n_days < rules.min_match_days or own.share >= rules.contradiction:
            continue
        rivals = (schedules.agreement(alias, other, {}) for other in board.names.teams - {team})
        if any(
            rival.n_agreeing >= rules.min_match_days and rival.share >= rules.min_share for rival in rivals
        ):
            del board.decisions[alias]
            board.open = sorted({*board.open, alias})


def _mutual(
    board: _Board,
    aliases: Sequence[str],
    teams: Sequence[str],
    score: Callable[[str, str], float],
    margin: float,
) -> dict[str, _Ranked]:
    """Aliases and teams that are each other's best match, both by a margin over the runner-up."""
    found = {}
    for alias in aliases:
        ranked = _rank(teams, lambda team, alias=alias: score(alias, team))  # type: ignore[misc]
        if ranked is None or ranked.score - ranked.runner_up_score < margin:
            continue
        rest = (score(other, ranked.best) for other in aliases if other != alias)
        if ranked.score - max(rest, default=0.0) >= margin:
            found[alias] = ranked
    return found


def _rank(teams: Sequence[str], score: Callable[[str], float]) -> _Ranked | None:
    ordered = sorted(((score(team), team) for team in teams), key=lambda item: (-item[0], item[1]))
    if not ordered:
        return None
    second = ordered[1] if len(ordered) > 1 else (0.0, None)
    return _Ranked(ordered[0][1], ordered[0][0], second[1], second[0])


def _linked(alias: str, method: Method, ranked: _Ranked) -> Decision:
    runner_up_score = None if ranked.runner_up is None else ranked.runner_up_score
    return Decision(alias, ranked.best, method, ranked.score, ranked.runner_up, runner_up_score, ranked.best)


def _doubtful(board: _Board, alias: str) -> Decision:
    # Before a season has begun, only the teams of the whole country are known.
    pool = board.free_teams() if board.names.teams else board.free_teams(elsewhere=True)
    ranked = _rank(pool, lambda team: similarity(alias, team))
    if ranked is None:
        return Decision(alias, None, None)
    runner_up_score = None if ranked.runner_up is None else ranked.runner_up_score
    return Decision(alias, None, None, ranked.score, ranked.runner_up, runner_up_score, ranked.best)
