"""Bring features.team_rating up to date: only results that are new, corrected or gone are worked through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import polars as pl

from touchline.database.engine import Connection, connect, scalar
from touchline.ratings.engine import PARAMETERS, STATE_COLUMNS, Result, State, rate
from touchline.settings import Settings

TABLE = """
create table if not exists features.team_rating (
    team_id uuid not null,
    match_id uuid not null,
    kickoff_at timestamptz not null,
    input_hash text not null,
    elo double precision not null,
    elo_shots double precision not null,
    pi_home double precision not null,
    pi_away double precision not null,
    pi_home_shots double precision not null,
    pi_away_shots double precision not null,
    valid_from timestamptz not null,
    primary key (team_id, match_id)
);
create index if not exists team_rating_by_time on features.team_rating (team_id, valid_from);
create index if not exists team_rating_by_kickoff on features.team_rating (kickoff_at);
comment on table features.team_rating is
    'One row a team and played match: its ratings after that match. Written by the ratings step.';
"""

# Whatever the ratings depend on is in the hash, so that any change of it is seen.
RESULTS = """
create temporary table rated_result on commit drop as
select
    match.match_id, match.kickoff_at, match.tier, match.home_team_id, match.away_team_id,
    result.home_goals::int as home_goals, result.away_goals::int as away_goals,
    result.home_shots_on_target::int as home_shots_on_target,
    result.away_shots_on_target::int as away_shots_on_target,
    result.known_at,
    md5(concat_ws('|', %s::text, extract(epoch from match.kickoff_at), extract(epoch from result.known_at),
        match.tier, match.home_team_id, match.away_team_id, result.home_goals, result.away_goals,
        coalesce(result.home_shots_on_target, -1), coalesce(result.away_shots_on_target, -1))) as input_hash
from core.match as match
inner join core.match_result as result using (match_id)
"""

# The earliest kick-off at which what was rated and what is known now differ; null when nothing does.
FIRST_DIFFERENCE = """
select min(least(known.kickoff_at, rated.kickoff_at))
from rated_result as known
full outer join (select distinct match_id, kickoff_at, input_hash from features.team_rating) as rated
    using (match_id)
where known.input_hash is distinct from rated.input_hash
"""

RESULTS_FROM = """
copy (
    select
        match_id, (extract(epoch from kickoff_at) * 1000000)::bigint as kickoff_at, input_hash, tier,
        home_team_id, away_team_id, home_goals, away_goals, home_shots_on_target, away_shots_on_target,
        (extract(epoch from known_at) * 1000000)::bigint as known_at
    from rated_result
    where kickoff_at >= %s
    order by kickoff_at, match_id
) to stdout (format csv, header)
"""

LAST_STATES = """
select distinct on (team_id)
    team_id::text, elo, elo_shots, pi_home, pi_away, pi_home_shots, pi_away_shots,
    (extract(epoch from valid_from) * 1000000)::bigint
from features.team_rating
order by team_id, kickoff_at desc, match_id desc
"""

STATE_TYPES = {name: pl.Int64 if name == "valid_from" else pl.Float64 for name in STATE_COLUMNS}


@dataclass(frozen=True)
class RatingsReport:
    """What an update did; counts are matches. `from_kickoff_at` is where it began, None when nothing changed."""

    as_of: str
    n_rated: int
    n_teams: int
    from_kickoff_at: str | None

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        if self.from_kickoff_at is None:
            return "Ratings are up to date; nothing new."
        return f"Rated {self.n_rated} matches of {self.n_teams} teams from {self.from_kickoff_at} on."


def update_ratings(
    settings: Settings, as_of: datetime, run_id: str, *, from_scratch: bool = False
) -> RatingsReport:
    """Rate what the core layer knows now and the ratings do not.

    `core` was built as of `as_of`. A late, corrected or vanished result rewinds to its kick-off and replays from
    there on; the outcome equals rating everything from scratch, bit for bit. One transaction.
    """
    del run_id
    with connect(settings, "transform") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('ratings'))")
        connection.execute(TABLE)
        if from_scratch:
            connection.execute("truncate features.team_rating")
        connection.execute(RESULTS, (PARAMETERS,))
        start = scalar(connection, FIRST_DIFFERENCE)
        if start is None:
            return RatingsReport(as_of.isoformat(), 0, 0, None)
        connection.execute("delete from features.team_rating where kickoff_at >= %s", (start,))
        results = _results_from(connection, start)
        states: dict[str, State] = {row[0]: tuple(row[1:]) for row in connection.execute(LAST_STATES)}
        after = rate(zip(*(results[name].to_list() for name in Result._fields), strict=True), states)
        _write(connection, results, after)
        connection.execute("analyze features.team_rating")
    n_teams = pl.concat([results["home_team_id"], results["away_team_id"]]).n_unique()
    return RatingsReport(as_of.isoformat(), results.height, n_teams, start.isoformat())


def _results_from(connection: Connection, start: datetime) -> pl.DataFrame:
    """Results since `start` in order of (kickoff_at, match_id); times in microseconds since 1970."""
    lines = BytesIO()
    with connection.cursor() as cursor, cursor.copy(RESULTS_FROM, (start,)) as copy:
        for block in copy:
            lines.write(block)
    texts = dict.fromkeys(("match_id", "input_hash", "home_team_id", "away_team_id"), pl.String)
    numbers = dict.fromkeys(("kickoff_at", "known_at", "tier"), pl.Int64)
    counts = {name: pl.Int64 for name in Result._fields if name.endswith(("_goals", "_on_target"))}
    return pl.read_csv(lines.getvalue(), schema_overrides={**texts, **numbers, **counts})


def _write(connection: Connection, results: pl.DataFrame, after: list[State]) -> None:
    matches = results.select("match_id", "kickoff_at", "input_hash")
    sides = [
        matches.with_columns(team_id=results[f"{side}_team_id"]).hstack(
            pl.DataFrame(after[first::2], schema=STATE_TYPES, orient="row")
        )
        for first, side in enumerate(("home", "away"))
    ]
    frame = pl.concat(sides).with_columns(
        pl.from_epoch(pl.col("kickoff_at", "valid_from"), "us").dt.replace_time_zone("UTC")
    )
    lines = BytesIO()
    # Floats are written with the shortest digits that read back to the same double.
    frame.write_csv(lines, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00")
    with (
        connection.cursor() as cursor,
        cursor.copy(
            f"copy features.team_rating ({', '.join(frame.columns)}) from stdin (format csv)"
        ) as copy,
    ):
        copy.write(lines.getbuffer())
