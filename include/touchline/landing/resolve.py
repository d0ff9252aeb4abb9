"""Translate a source's names and ids: teams to canonical names, matches to their permanent key.

The names of the anchor source (football_data_uk) are canonical. A row of another source whose team is not settled or
whose match is unknown is rejected with that reason, and waits to be replayed (`touchline.landing.replay`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import polars as pl

from touchline.database.engine import Connection, rows
from touchline.identity import teams
from touchline.identity.fixtures import fixture_key
from touchline.identity.schedule import ScheduledMatch
from touchline.landing.payloads import Payload
from touchline.sources.source import Announced, Observations, Rejection

TEAM_RULE: Final = "team_doubtful"
MATCH_RULE: Final = "match_unknown"
WAITING_RULES: Final = (TEAM_RULE, MATCH_RULE)
# Two sources may date the same match a day apart, because some write the local day and some the UTC day.
DAYS_APART: Final = 1

_FIXTURES_OF_SEASON = """
select distinct on (fixture_key) fixture_key::text as fixture_key, competition, home_team, away_team, kickoff_on,
    exists (select 1 from landing.match_link as link where link.fixture_key = observed.fixture_key) as is_linked
from landing.fixture_observation as observed
where competition = any(%(competitions)s) and season = any(%(seasons)s)
order by fixture_key, known_at desc, observed_at desc, payload_id desc
"""
_KNOWN_LINKS = """
select source_match_id, fixture_key::text as fixture_key from landing.match_link
where source = %(source)s and (source_match_id = any(%(ids)s) or fixture_key = any(%(keys)s::uuid[]))
"""


def resolve(
    connection: Connection, payload: Payload, found: Observations, bookmakers: Mapping[str, str],
    as_of: datetime, run_id: str,
) -> Observations:  # fmt: skip
    """The same observations with `fixture_key` in every frame, in the caller's transaction.

    `bookmakers` maps the source's names of bookmakers to the warehouse's where they differ. New links of teams and
    matches are written. Rows that cannot be resolved become rejections, so parsed + rejected still equals the rows
    of the body. `as_of` (UTC) limits which canonical names may be known.
    """
    if "fixture_key" in found.fixtures.columns:
        return _adopt(connection, found)
    found = _name_teams(connection, payload.source, found, as_of, run_id)
    links = _link_matches(connection, payload, found.fixtures, run_id)
    ids = {
        each for frame in (found.scores, found.quotes) for each in frame["source_match_id"].unique().to_list()
    }
    links |= _known(connection, payload.source, ids - set(links), ())
    found = _name_bookmakers(bookmakers, found)
    found = _honestly_dated(_reject_unlinked(found, links))
    return replace(
        found,
        fixtures=_with_key(found.fixtures, links),
        scores=_with_key(found.scores, links),
        quotes=_with_key(found.quotes, links).drop("source_match_id"),
    )


def _adopt(connection: Connection, found: Observations) -> Observations:
    """Replace the keys of moved matches in the anchor's rows by the key under which another source knows them."""
    own = found.fixtures
    known = _fixtures_of(connection, own).filter("is_linked")
    if known.is_empty():
        return found
    moved = _nearest(own.filter(~pl.col("fixture_key").is_in(known["fixture_key"].to_list())), known)
    if not moved:
        return found
    key = pl.col("fixture_key").replace(moved)
    return replace(
        found,
        fixtures=own.with_columns(key),
        scores=found.scores.with_columns(key),
        quotes=found.quotes.with_columns(key),
    )


def _honestly_dated(found: Observations) -> Observations:
    """Date no result before its kick-off, and no postponement or cancellation by the fixture's announcement."""
    kickoffs = found.fixtures.select("source_match_id", "kickoff_at")
    published = pl.col("published_at")
    return replace(
        found,
        fixtures=found.fixtures.with_columns(
            published_at=pl.when(pl.col("status").is_in(["scheduled", "played"])).then(published)
        ),
        scores=found.scores.join(kickoffs, on="source_match_id", how="left", maintain_order="left")
        .with_columns(
            published_at=pl.when(published.is_not_null()).then(pl.max_horizontal(published, "kickoff_at"))
        )
        .drop("kickoff_at"),
    )


def _name_bookmakers(names: Mapping[str, str], found: Observations) -> Observations:
    """Use the warehouse's names of bookmakers. Where a source lists one twice (two regions), the first counts."""
    key = ["source_match_id", "bookmaker", "market", "is_closing", "line"]
    quotes = found.quotes.with_columns(pl.col("bookmaker").replace(names))
    return replace(found, quotes=quotes.unique(key, keep="first", maintain_order=True))


def _name_teams(
    connection: Connection, source: str, found: Observations, as_of: datetime, run_id: str
) -> Observations:
    """Replace the source's team names by canonical ones. A row with a doubtful team is rejected, naming the field."""
    fixtures = found.fixtures
    named: dict[tuple[str, str, str], str] = {}
    for (competition, season), group in fixtures.group_by("competition", "season", maintain_order=True):
        aliases = sorted({*group["home_team"], *group["away_team"]})
        decisions = teams.settle(
            connection,
            source,
            str(competition),
            str(season),
            aliases,
            as_of,
            run_id,
            schedule=_schedule(group),
        )
        for alias, decision in decisions.items():
            if decision.team is not None:
                named[str(competition), str(season), alias] = decision.team
    rejections, kept, homes, aways = [], [], [], []
    for row in fixtures.iter_rows(named=True):
        home, away = (
            named.get((row["competition"], row["season"], row[side])) for side in ("home_team", "away_team")
        )
        kept.append(home is not None and away is not None)
        homes.append(home)
        aways.append(away)
        if not kept[-1]:
            field = "home_team" if home is None else "away_team"
            rejections.append(
                Rejection(
                    row["row_number"], "row", TEAM_RULE, field, row[field],
                    f"{source} calls a team of {row['competition']} {row['season']} {row[field]!r}, which is not "
                    "settled; see `touchline teams review`",
                    f"{row['source_match_id']} {row['home_team']} - {row['away_team']}",
                    Announced(**{name: row[name] for name in Announced.__dataclass_fields__}),
                )
            )  # fmt: skip
    mask = pl.Series(kept, dtype=pl.Boolean)
    settled = fixtures.with_columns(
        home_team=pl.Series(homes, dtype=pl.String), away_team=pl.Series(aways, dtype=pl.String)
    ).filter(mask)
    return _without_rows(replace(found, fixtures=settled), rejections)


def _schedule(group: pl.DataFrame) -> list[ScheduledMatch]:
    """Who plays whom and when, without postponed and cancelled matches."""
    meant = group.filter(~pl.col("status").is_in(["postponed", "cancelled"]))
    return [ScheduledMatch(*row) for row in meant.select("kickoff_on", "home_team", "away_team").iter_rows()]


def _link_matches(
    connection: Connection, payload: Payload, fixtures: pl.DataFrame, run_id: str
) -> dict[str, str]:
    """The key of every match in the body, by the source's id. New links are written and never change."""
    ids = fixtures["source_match_id"].to_list()
    candidates = _fixtures_of(connection, fixtures)
    known = _known(connection, payload.source, ids, candidates["fixture_key"].to_list())
    links = {each: known[each] for each in ids if each in known}
    new = fixtures.filter(~pl.col("source_match_id").is_in(list(links))).with_columns(
        fixture_key=pl.col("source_match_id")
    )
    free = candidates.filter(~pl.col("fixture_key").is_in(list(known.values())))
    found = _nearest(new, free)
    taken = set(known.values())
    for row in new.iter_rows(named=True):
        own = str(fixture_key(row["competition"], row["kickoff_on"], row["home_team"], row["away_team"]))
        key = found.get(row["source_match_id"], own)
        # Two ids for one match: the second gets a key of its own, so that the duplicate stays visible.
        if key in taken:
            key = str(
                fixture_key(row["competition"], row["kickoff_on"], row["home_team"], row["source_match_id"])
            )
        taken.add(key)
        links[row["source_match_id"]] = key
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy landing.match_link (source, source_match_id, fixture_key, payload_id, run_id) from stdin"
        ) as copy,
    ):
        for source_match_id in new["source_match_id"]:
            copy.write_row(
                (payload.source, source_match_id, links[source_match_id], payload.payload_id, run_id)
            )
    return links


def _fixtures_of(connection: Connection, fixtures: pl.DataFrame) -> pl.DataFrame:
    """The last version of every fixture of the competitions and seasons in a frame."""
    parameters = {
        "competitions": fixtures["competition"].unique().to_list(),
        "seasons": fixtures["season"].unique().to_list(),
    }
    schema = {
        "fixture_key": pl.String, "competition": pl.String, "home_team": pl.String, "away_team": pl.String,
        "kickoff_on": pl.Date, "is_linked": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(rows(connection, _FIXTURES_OF_SEASON, parameters), schema=schema)


def _nearest(wanted: pl.DataFrame, known: pl.DataFrame) -> dict[str, str]:
    """For each wanted key, the known key of the same pairing at most a day apart; the nearest day wins."""
    if wanted.is_empty() or known.is_empty():
        return {}
    pairing = ["competition", "home_team", "away_team"]
    pairs = (
        wanted.select("fixture_key", "kickoff_on", *pairing)
        .join(known, on=pairing, suffix="_known")
        .with_columns(days=(pl.col("kickoff_on") - pl.col("kickoff_on_known")).dt.total_days().abs())
        .filter(pl.col("days") <= DAYS_APART)
        .sort("days", "fixture_key", "fixture_key_known")
        .unique("fixture_key", keep="first", maintain_order=True)
        .unique("fixture_key_known", keep="first", maintain_order=True)
    )
    return dict(pairs.select("fixture_key", "fixture_key_known").iter_rows())


def _known(
    connection: Connection, source: str, ids: Sequence[str] | set[str], keys: Sequence[str]
) -> dict[str, str]:
    found = rows(connection, _KNOWN_LINKS, {"source": source, "ids": list(ids), "keys": list(keys)})
    return {row["source_match_id"]: row["fixture_key"] for row in found}


def _reject_unlinked(found: Observations, links: Mapping[str, str]) -> Observations:
    """Reject scores and quotes of matches that are not announced yet; they wait for the announcement."""
    waiting = pl.concat(
        frame.select("source_match_id", "row_number").filter(~pl.col("source_match_id").is_in(list(links)))
        for frame in (found.scores, found.quotes)
    ).unique("row_number")
    rejections = [
        Rejection(
            row["row_number"], "row", MATCH_RULE, "source_match_id", row["source_match_id"],
            f"no fixture with the id {row['source_match_id']} is known yet; used as soon as one is",
            row["source_match_id"],
        )
        for row in waiting.sort("row_number").iter_rows(named=True)
    ]  # fmt: skip
    return _without_rows(found, rejections)


def _without_rows(found: Observations, rejections: Sequence[Rejection]) -> Observations:
    if not rejections:
        return found
    gone = [rejection.row_number for rejection in rejections]
    stays = ~pl.col("row_number").is_in(gone)
    return replace(
        found,
        n_parsed=found.n_parsed - len(set(gone)),
        fixtures=found.fixtures.filter(stays),
        scores=found.scores.filter(stays),
        quotes=found.quotes.filter(stays),
        rejections=[*found.rejections, *rejections],
    )


def _with_key(frame: pl.DataFrame, links: Mapping[str, str]) -> pl.DataFrame:
    return frame.with_columns(
        fixture_key=pl.col("source_match_id").replace_strict(links, return_dtype=pl.String)
    )
