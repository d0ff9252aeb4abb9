"""Bring features.team_rating up to date, learning only what became known since the last time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from psycopg import sql

from touchline import overround
from touchline.database.engine import Connection, connect, rows
from touchline.ratings.careers import Careers, append, rate_in_order
from touchline.ratings.compiled import STATE_COLUMNS
from touchline.ratings.history import FOREVER, History, Rated, Version
from touchline.ratings.versions import MICROSECONDS, read_versions
from touchline.settings import Settings
from touchline.warehouse.changes import building, definition_of, note_built_in, plan

COLUMNS = ",\n    ".join(f"{name} double precision not null" for name in STATE_COLUMNS)
TABLE = f"""
create table if not exists features.team_rating (
    team_id uuid not null,
    match_id uuid not null,
    kickoff_at timestamptz not null,
    {COLUMNS},
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    primary key (team_id, match_id, valid_from)
);
create index if not exists team_rating_by_knowledge on features.team_rating (team_id, valid_from, kickoff_at, match_id);
create index if not exists team_rating_by_kickoff on features.team_rating (team_id, kickoff_at);
create index if not exists team_rating_since on features.team_rating (valid_from);
create index if not exists team_rating_until on features.team_rating (valid_to) where valid_to < '9999-12-31 00:00Z';
create index if not exists team_rating_played on features.team_rating (kickoff_at);
comment on table features.team_rating is 'One row a team, played match and period: its ratings after that match, as '
    'known from valid_from until just before valid_to. Written by the ratings step.';
"""

END = "'9999-12-31 00:00Z'::timestamptz"
LEARNED = f"result.valid_from >= %(since)s or (valid_to >= %(since)s and valid_to < {END})"
STANDING = "result.valid_from < %(since)s and valid_to >= %(since)s and kickoff_at >= %(kickoff_at)s"

# Restores what was known just before the instant from which everything is learned again.
REWIND = (
    "delete from features.team_rating where valid_from >= %(since)s",
    f"update features.team_rating set valid_to = {END} where valid_to >= %(since)s and valid_to < {END}",  # noqa: S608
)
CAREERS = f"""
select team_id::text, {MICROSECONDS.format("kickoff_at")}, match_id::text, {", ".join(STATE_COLUMNS)},
    {MICROSECONDS.format("valid_from")}
from features.team_rating
where kickoff_at >= %(kickoff_at)s and valid_to = {END}
order by team_id, features.team_rating.kickoff_at, match_id
"""  # noqa: S608
BEFORE = f"""
select wanted.team_id::text, {", ".join(f"last.{name}" for name in STATE_COLUMNS)}
from unnest(%(team_ids)s::uuid[]) as wanted (team_id)
inner join lateral (
    select * from features.team_rating as rating
    where rating.team_id = wanted.team_id and rating.kickoff_at < %(kickoff_at)s and rating.valid_to = {END}
    order by rating.kickoff_at desc, rating.match_id desc
    limit 1
) as last on true
"""  # noqa: S608
CLOSE = f"""
update features.team_rating as rating set valid_to = closed.valid_to
from unnest(%s::uuid[], %s::uuid[], %s::timestamptz[]) as closed (team_id, match_id, valid_to)
where rating.team_id = closed.team_id and rating.match_id = closed.match_id and rating.valid_to = {END}
"""  # noqa: S608


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class RatingsReport:
    """What an update did: results learned (a correction counts again), teams rated, and states that no longer hold.

    `known_from` is the earliest instant of the results learned, None when nothing was new.
    """

    as_of: str
    n_learned: int
    n_teams: int
    n_restated: int
    known_from: str | None

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        if self.known_from is None:
            return "Ratings are up to date; nothing new."
        return (
            f"Learned {self.n_learned} results known from {self.known_from} on; rated {self.n_teams} teams, "
            f"{self.n_restated} earlier states restated."
        )


def update_ratings(
    settings: Settings, as_of: datetime, run_id: str, *, is_full: bool = False
) -> RatingsReport:
    """Learn the results in core.result_version that the ratings do not include yet, in one transaction.

    The ratings are then as of the same instant as core (UTC), whatever `as_of` says, and equal, bit for bit, to
    learning everything from scratch.
    """
    with building(settings):
        planned = plan(settings, "ratings", as_of, _definition(), is_full=is_full)
        with connect(settings, "transform") as connection:
            connection.execute(TABLE)
            if planned.is_full:
                connection.execute("truncate features.team_rating")
                _follow_code(connection)
                known, since = read_versions(connection, "true", {}), -FOREVER
                career = rate_in_order(known)
                append(connection, career)
                versions, history = known.versions(career.n_matches), History(before=career.states)
            else:
                assert planned.known_from is not None, "an incremental plan knows from when on"
                known = read_versions(connection, LEARNED, {"since": planned.known_from})
                versions, since = known.versions(), _microseconds(planned.known_from)
                history = _rewound(connection, versions, {"since": planned.known_from})
            history.learn_all(versions, since)
            _write(connection, history, since)
            if planned.is_full:
                connection.execute("analyze features.team_rating")
            note_built_in(connection, planned, run_id)
    is_learned = known.frame["valid_from"] >= since
    first = known.frame.select(pl.col("valid_from").min()).item()
    teams = set(known.frame["home_team_id"]) | set(known.frame["away_team_id"])
    if not planned.is_full:
        teams = {rated.team_id for rated in history.rated}
    return RatingsReport(
        as_of=planned.as_of.isoformat(),
        n_learned=int(is_learned.sum()),
        n_teams=len(teams),
        n_restated=len(history.closed),
        known_from=None if first is None else _moment(max(first, since)).isoformat(),
    )


def _definition() -> str:
    """The digest of code and parameters; ratings stored under another one are learned anew."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), Path(overround.__file__)]
    return definition_of("ratings", [path.read_text() for path in files])


def _follow_code(connection: Connection) -> None:
    """Add new state columns to the empty table, and drop those that no longer exist."""
    found = rows(
        connection,
        "select attname from pg_attribute where attrelid = 'features.team_rating'::regclass "
        "and attnum > 0 and not attisdropped and atttypid = 'double precision'::regtype",
    )
    there = {row["attname"] for row in found}
    for name in STATE_COLUMNS:
        if name not in there:
            connection.execute(
                sql.SQL("alter table features.team_rating add column {} double precision not null").format(
                    sql.Identifier(name)
                )
            )
    for name in there.difference(STATE_COLUMNS):
        connection.execute(
            sql.SQL("alter table features.team_rating drop column {} cascade").format(sql.Identifier(name))
        )


def _rewound(connection: Connection, versions: Sequence[Version], known: dict[str, Any]) -> History:
    """What was known just before `known["since"]`, from the earliest kick-off among the versions to learn."""
    for statement in REWIND:
        connection.execute(statement, known)
    if not versions:
        return History()
    first = min(version.key[0] for version in versions)
    known = {**known, "kickoff_at": _moment(first)}
    history = History()
    standing = read_versions(connection, STANDING, known).versions()
    history.chain = sorted((version.key, version.result) for version in standing)
    for team_id, kickoff_at, match_id, *state, valid_from in connection.execute(CAREERS, known):
        history.careers[team_id].append(Rated(team_id, (kickoff_at, match_id), tuple(state), valid_from))
    results = [*(result for _, result in history.chain), *(version.result for version in versions)]
    teams = {team for result in results for team in (result.home_team_id, result.away_team_id)}
    found = connection.execute(BEFORE, {**known, "team_ids": list(teams)})
    history.before = {team_id: tuple(state) for team_id, *state in found}
    return history


def _write(connection: Connection, history: History, since: int) -> None:
    closed = [rated for rated in history.closed if rated.valid_from < since]
    connection.execute(
        CLOSE,
        (
            [rated.team_id for rated in closed],
            [rated.key[1] for rated in closed],
            [_moment(rated.valid_to) for rated in closed],
        ),
    )
    append(connection, Careers.of(history.rated))


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
