"""Fixture lists as evidence of which team a name means; the names need not be alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

# Sources date a match in their own time zone.
TOLERANCE = timedelta(days=1)


@dataclass(frozen=True)
class ScheduledMatch:
    """One match of a fixture list, in the names of its source; `played_on` in any time zone."""

    played_on: date
    home: str
    away: str


@dataclass(frozen=True)
class Agreement:
    """On how many of a name's match days the team plays too, out of the `n_days` that both lists cover."""

    n_agreeing: int
    n_days: int

    @property
    def share(self) -> float:
        """From 0 to 1; 0 when nothing can be compared."""
        return self.n_agreeing / self.n_days if self.n_days else 0.0


@dataclass(frozen=True)
class _Appearance:
    played_on: date
    is_home: bool
    opponent: str


class Schedules:
    """Two fixture lists of one competition and season: that of a source, and that of the teams."""

    def __init__(self, of_aliases: Collection[ScheduledMatch], of_teams: Collection[ScheduledMatch]) -> None:
        self._aliases = _appearances(of_aliases)
        self._teams = _appearances(of_teams)
        days = [[match.played_on for match in matches] for matches in (of_aliases, of_teams)]
        # One list may go on longer than the other: with matches still to be played, or with play-offs.
        self._window = (max(map(min, days)), min(map(max, days))) if all(days) else None

    def agreement(self, alias: str, team: str, links: Mapping[str, str]) -> Agreement:
        """Match days of `alias` on which `team` plays too (a day apart at most), at the same venue.

        `links` are the names already settled. Where they name the opponent, the team must have played that opponent;
        an opponent not yet settled cannot be a team that already belongs to another name.
        """
        if self._window is None:
            return Agreement(0, 0)
        start, end = self._window[0] - TOLERANCE, self._window[1] + TOLERANCE
        taken = set(links.values())
        theirs = [item for item in self._aliases.get(alias, ()) if start <= item.played_on <= end]
        ours = [item for item in self._teams.get(team, ()) if start <= item.played_on <= end]
        left = list(ours)
        for item in theirs:
            fitting = next((other for other in left if _fits(item, other, links, taken)), None)
            if fitting is not None:
                left.remove(fitting)
        return Agreement(len(ours) - len(left), min(len(theirs), len(ours)))


def _fits(item: _Appearance, other: _Appearance, links: Mapping[str, str], taken: Collection[str]) -> bool:
    if item.is_home != other.is_home or abs(item.played_on - other.played_on) > TOLERANCE:
        return False
    opponent = links.get(item.opponent)
    return other.opponent == opponent if opponent is not None else other.opponent not in taken


def _appearances(matches: Collection[ScheduledMatch]) -> dict[str, Sequence[_Appearance]]:
    found: defaultdict[str, list[_Appearance]] = defaultdict(list)
    for match in sorted(set(matches), key=lambda match: (match.played_on, match.home, match.away)):
        found[match.home].append(_Appearance(match.played_on, True, match.away))
        found[match.away].append(_Appearance(match.played_on, False, match.home))
    return dict(found)
