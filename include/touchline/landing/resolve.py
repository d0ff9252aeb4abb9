"""Translate a source's names and ids: teams to canonical names, matches to their permanent key.

The names of the anchor source (football_data_uk) are canonical. A row of another source whose team is not settled or
whose match is unknown is rejected with that reason, and waits to be replayed (`touchline.landing.replay`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from touchline.database.engine import Connection, rows
from touchline.identity import teams
from touchline.identity.schedule import ScheduledMatch
from touchline.landing.links import MATCH_RULE, fixtures_of, known_links, link_matches, nearest
from touchline.landing.payloads import Payload
from touchline.landing.revisions import follow
from touchline.sources.seasons import label_of, labels_around, start_year_of
from touchline.sources.source import Announced, Observations, Rejection

TEAM_RULE: Final = "team_doubtful"
WAITING_RULES: Final = (TEAM_RULE, MATCH_RULE)
# Within a season a competition rests longer at times, but two seasons never lie this near to each other.
SEASON_GOES_ON_DAYS: Final = 10

_PLAYED = """
select distinct competition, kickoff_on, season from landing.fixture_observation
where competition = any(%(competitions)s) and season = any(%(seasons)s) and status = 'played' and known_at <= %(as_of)s
order by kickoff_on, season
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
    found = replace(found, fixtures=_with_seasons(connection, found.fixtures, as_of))
    if "fixture_key" in found.fixtures.columns:
        return _adopt(connection, follow(connection, payload, found))
    found = _name_teams(connection, payload.source, found, as_of, run_id)
    links, second = link_matches(connection, payload, found.fixtures, run_id)
    found = _without_rows(found, second)
    ids = {
        each for frame in (found.scores, found.quotes) for each in frame["source_match_id"].unique().to_list()
    }
    links |= known_links(connection, payload.source, ids - set(links), ())
    found = _name_bookmakers(bookmakers, found)
    found = _honestly_dated(_reject_unlinked(found, links))
    return replace(
        found,
        fixtures=_with_key(found.fixtures, links),
        scores=_with_key(found.scores, links),
        quotes=_with_key(found.quotes, links).drop("source_match_id"),
    )


def _with_seasons(connection: Connection, fixtures: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Fill the seasons that neither body nor row says: by the match played just before, else by the day."""
    place = ["competition", "kickoff_on"]
    unsaid = fixtures.filter(pl.col("season").is_null()).select(place).unique().sort("kickoff_on")
    if unsaid.is_empty():
        return fixtures
    parameters = {
        "competitions": unsaid["competition"].unique().to_list(),
        "seasons": labels_around(unsaid["kickoff_on"]),
        "as_of": as_of,
    }
    schema = {"competition": pl.String, "kickoff_on": pl.Date, "played_season": pl.String}
    played = pl.DataFrame(
        [tuple(row.values()) for row in rows(connection, _PLAYED, parameters)], schema, orient="row"
    )
    by_day = [label_of(code, start_year_of(code, day)) for code, day in unsaid.iter_rows()]
    filled = unsaid.with_columns(season_by_day=pl.Series(by_day, dtype=pl.String)).join_asof(
        played,
        on="kickoff_on",
        by="competition",
        tolerance=timedelta(days=SEASON_GOES_ON_DAYS),
        check_sortedness=False,
    )
    return (
        fixtures.join(filled, on=place, how="left", maintain_order="left")
        .with_columns(season=pl.coalesce("season", "played_season", "season_by_day"))
        .drop("played_season", "season_by_day")
    )


def _adopt(connection: Connection, found: Observations) -> Observations:
    """Replace the keys of moved matches in the anchor's rows by the key under which another source knows them."""
    own = found.fixtures
    known = fixtures_of(connection, own).filter("is_linked")
    if known.is_empty():
        return found
    moved = nearest(own.filter(~pl.col("fixture_key").is_in(known["fixture_key"].to_list())), known)
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
