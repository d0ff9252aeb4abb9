"""Bring features.team_rating up to date: only what became known since the last time is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
from psycopg import sql

from touchline.database.engine import Connection, connect
from touchline.landing.copying import copy_frame
from touchline.ratings.engine import PARAMETERS, STATE_COLUMNS, Result
from touchline.ratings.history import FOREVER, History, Rated, Version
from touchline.settings import Settings
from touchline.warehouse.changes import building, definition_of, note_built_in, plan

TABLE = """
create table if not exists features.team_rating (
    team_id uuid not null,
    match_id uuid not null,
    kickoff_at timestamptz not null,
    elo double precision not null,
    elo_shots double precision not null,
    pi_home double precision not null,
    pi_away double precision not null,
    pi_home_shots double precision not null,
    pi_away_shots double precision not null,
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
MICROSECONDS = "(extract(epoch from {0}) * 1000000)::bigint as {0}"
VERSIONS = f"""
copy (
    select match_id, {MICROSECONDS.format("kickoff_at")}, tier, home_team_id, away_team_id, home_goals, away_goals,
        home_shots_on_target, away_shots_on_target, {MICROSECONDS.format("valid_from")},
        {MICROSECONDS.format("valid_to")}
    from core.result_version
    where {{condition}}
) to stdout (format csv, header)
"""  # noqa: S608
LEARNED = f"valid_from >= %(since)s or (valid_to >= %(since)s and valid_to < {END})"
STANDING = "valid_from < %(since)s and valid_to >= %(since)s and kickoff_at >= %(kickoff_at)s"

# What is known just before the instant from which on everything is learned again.
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
_NUMBERS = (
    "kickoff_at", "valid_from", "valid_to", "tier", "home_goals", "away_goals", "home_shots_on_target",
    "away_shots_on_target",
)  # fmt: skip


@dataclass(frozen=True)
class RatingsReport:
    """What an update did: results learned (a correction counts again), teams rated, states that ceased to hold.

    `known_from` is the instant from which on results were learned, None when nothing was new.
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
    """Learn the results that core.result_version knows now and the ratings do not.

    They stand as of when core does (UTC), whatever `as_of` says. The outcome equals learning everything from scratch,
    bit for bit. One transaction.
    """
    with building(settings):
        planned = plan(settings, "ratings", as_of, _definition(), is_full=is_full)
        with connect(settings, "transform") as connection:
            connection.execute(TABLE)
            if planned.is_full:
                connection.execute("truncate features.team_rating")
                versions, since, history = _versions(connection, "true", {}), -FOREVER, History()
            else:
                known = {"since": planned.known_from}
                versions = _versions(connection, LEARNED, known)
                since, history = _microseconds(planned.known_from), _rewound(connection, versions, known)
            history.learn_all(versions, since)
            _write(connection, history, since)
            if planned.is_full:
                connection.execute("analyze features.team_rating")
            note_built_in(connection, planned, run_id)
    learned = [version for version in versions if version.valid_from >= since]
    first = min((version.valid_from for version in versions), default=None)
    return RatingsReport(
        as_of=planned.as_of.isoformat(),
        n_learned=len(learned),
        n_teams=len({rated.team_id for rated in history.rated}),
        n_restated=len(history.closed),
        known_from=None if first is None else _moment(max(first, since)).isoformat(),
    )


def _definition() -> str:
    """Stored ratings of another code, or other parameters, are learned anew."""
    code = [path.read_text() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return definition_of("ratings", PARAMETERS, code)


def _rewound(connection: Connection, versions: Sequence[Version], known: dict[str, Any]) -> History:
    """What was known just before `known["since"]`, from the first kick-off on that the versions to learn speak of."""
    for statement in REWIND:
        connection.execute(statement, known)
    if not versions:
        return History()
    first = min(version.key[0] for version in versions)
    known = {**known, "kickoff_at": _moment(first)}
    history = History()
    history.chain = sorted(
        (version.key, version.result) for version in _versions(connection, STANDING, known)
    )
    for team_id, kickoff_at, match_id, *state, valid_from in connection.execute(CAREERS, known):
        history.careers[team_id].append(Rated(team_id, (kickoff_at, match_id), tuple(state), valid_from))
    results = [*(result for _, result in history.chain), *(version.result for version in versions)]
    teams = {team for result in results for team in (result.home_team_id, result.away_team_id)}
    found = connection.execute(BEFORE, {**known, "team_ids": list(teams)})
    history.before = {team_id: tuple(state) for team_id, *state in found}
    return history


def _versions(connection: Connection, condition: str, parameters: dict[str, Any]) -> list[Version]:
    lines = BytesIO()
    with (
        connection.cursor() as cursor,
        cursor.copy(VERSIONS.format(condition=condition), parameters) as copy,
    ):
        for block in copy:
            lines.write(block)
    texts = dict.fromkeys(("match_id", "home_team_id", "away_team_id"), pl.String)
    frame = pl.read_csv(lines.getvalue(), schema_overrides=texts, infer_schema=False).cast(
        dict.fromkeys(_NUMBERS, pl.Int64)
    )
    columns = {name: frame[name].to_list() for name in frame.columns}
    keys = zip(columns["kickoff_at"], columns["match_id"], strict=True)
    results = map(Result, *(columns[name] for name in Result._fields))
    return list(map(Version, keys, results, columns["valid_from"], columns["valid_to"]))


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
    # Floats are written with the shortest digits that read back to the same double.
    copy_frame(connection, sql.Identifier("features", "team_rating"), _frame(history.rated))


def _frame(rows: Sequence[Rated]) -> pl.DataFrame:
    keys = pl.DataFrame(
        {
            "team_id": [row.team_id for row in rows],
            "match_id": [row.key[1] for row in rows],
            "kickoff_at": [row.key[0] for row in rows],
            "valid_from": [row.valid_from for row in rows],
            "valid_to": [row.valid_to for row in rows],
        }
    ).with_columns(
        pl.from_epoch(pl.col("kickoff_at", "valid_from", "valid_to"), "us").dt.replace_time_zone("UTC")
    )
    states = pl.DataFrame(
        [row.state for row in rows], schema=dict.fromkeys(STATE_COLUMNS, pl.Float64), orient="row"
    )
    return keys.hstack(states)


def _microseconds(moment: datetime | None) -> int:
    assert moment is not None, "an incremental plan knows from when on"
    return (moment - _EPOCH) // _MICROSECOND


def _moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
