"""Ratings as they were known at every instant: results are learned in the order in which they became known.

Almost always that is the order of kick-offs, and each result adds a state to both teams. After a late, corrected or
withdrawn result, every match from its kick-off on is rated again. States that differ hold from the instant when the
change became known; the old states keep the period in which they were known. Times are microseconds since 1970.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from touchline.ratings.engine import Result, State, rate

# The end of 9999, as in the tables of periods that dbt builds.
FOREVER: Final = 253_402_214_400_000_000

# Order of rating: kick-off, then the match's id.
Key = tuple[int, str]


class Version(NamedTuple):
    """A result as known from `valid_from` until `valid_to` (FOREVER while it stands)."""

    key: Key
    result: Result
    valid_from: int
    valid_to: int


@dataclass(slots=True)
class Rated:
    """The state of a team after a match, as known from `valid_from` until `valid_to`."""

    team_id: str
    key: Key
    state: State
    valid_from: int
    valid_to: int = FOREVER


@dataclass
class History:
    """What is known at an instant; `learn` moves it forward.

    `chain` holds the standing results in order of rating, `before` the states of teams before the first of them, and
    `careers` each team's states after its matches. `rated` collects every new state, `closed` every state that no
    longer holds.
    """

    before: dict[str, State] = field(default_factory=dict)
    chain: list[tuple[Key, Result]] = field(default_factory=list)
    careers: dict[str, list[Rated]] = field(default_factory=lambda: defaultdict(list))
    rated: list[Rated] = field(default_factory=list)
    closed: list[Rated] = field(default_factory=list)

    def learn_all(self, versions: Iterable[Version], since: int) -> None:
        """Learn, instant by instant, the results that became known or were withdrawn at or after `since`."""
        new: dict[int, list[Version]] = defaultdict(list)
        gone: dict[int, list[Version]] = defaultdict(list)
        for version in versions:
            if version.valid_from >= since:
                new[version.valid_from].append(version)
            if since <= version.valid_to < FOREVER:
                gone[version.valid_to].append(version)
        for instant in sorted({*new, *gone}):
            self.learn(instant, new.get(instant, []), gone.get(instant, []))

    def learn(self, instant: int, new: Sequence[Version], gone: Sequence[Version]) -> None:
        """Learn the results that became known and those withdrawn at one instant (a correction is both)."""
        arrived = sorted((version.key, version.result) for version in new)
        if not gone and all(self._is_next(*each) for each in arrived):
            self._append(instant, arrived)
            return
        withdrawn = {version.key for version in gone}
        first = min(key for key, _ in [*arrived, *((version.key, version.result) for version in gone)])
        place = bisect_left(self.chain, (first,))
        tail = [each for each in self.chain[place:] if each[0] not in withdrawn]
        for each in arrived:
            insort(tail, each)
        del self.chain[place:]
        self.chain += tail
        self._rate_again(instant, first, tail)

    def _is_next(self, key: Key, result: Result) -> bool:
        """Whether neither team has a later match, so that the result can simply be appended."""
        careers = (self.careers.get(result.home_team_id), self.careers.get(result.away_team_id))
        return all(not career or career[-1].key < key for career in careers)

    def _append(self, instant: int, arrived: Sequence[tuple[Key, Result]]) -> None:
        states = {team: self._last(team) for team in _teams(arrived)}
        known = {team: state for team, state in states.items() if state is not None}
        after = rate((result for _, result in arrived), known)
        for number, (key, result) in enumerate(arrived):
            for team, state in zip(result[1:3], after[2 * number : 2 * number + 2], strict=True):
                self._add(Rated(team, key, state, instant))
            if self.chain and key < self.chain[-1][0]:
                insort(self.chain, (key, result))
            else:
                self.chain.append((key, result))

    def _rate_again(self, instant: int, first: Key, tail: Sequence[tuple[Key, Result]]) -> None:
        """Rate the matches from `first` on again, and keep each team's states up to the first that differs."""
        old: dict[str, list[Rated]] = {}
        for team, career in self.careers.items():
            place = bisect_left(career, first, key=lambda rated: rated.key)
            if place < len(career):
                old[team] = career[place:]
                del career[place:]
        states = {team: self._last(team) for team in _teams(tail)}
        after = rate(
            (result for _, result in tail),
            {team: state for team, state in states.items() if state is not None},
        )
        fresh: dict[str, list[tuple[Key, State]]] = defaultdict(list)
        for number, (key, result) in enumerate(tail):
            for team, state in zip(result[1:3], after[2 * number : 2 * number + 2], strict=True):
                fresh[team].append((key, state))
        for team in {*old, *fresh}:
            before, now = old.get(team, []), fresh.get(team, [])
            same = 0
            while same < min(len(before), len(now)) and (before[same].key, before[same].state) == now[same]:
                same += 1
            self.careers[team] += before[:same]
            for rated in before[same:]:
                rated.valid_to = instant
            self.closed += before[same:]
            for key, state in now[same:]:
                self._add(Rated(team, key, state, instant))

    def _add(self, rated: Rated) -> None:
        self.careers[rated.team_id].append(rated)
        self.rated.append(rated)

    def _last(self, team: str) -> State | None:
        career = self.careers.get(team)
        return career[-1].state if career else self.before.get(team)


def _teams(results: Iterable[tuple[Key, Result]]) -> set[str]:
    return {team for _, result in results for team in result[1:3]}
