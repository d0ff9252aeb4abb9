"""Which match a source means by its own id: the link to the permanent key, made once.

A source may give a match another id when it moves; both then mean the same match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import polars as pl

from touchline.database.engine import Connection, rows
from touchline.identity.competitions import where_pairings_meet_once
from touchline.identity.fixtures import fixture_key
from touchline.landing.payloads import Payload
from touchline.sources.source import Rejection

MATCH_RULE: Final = "match_unknown"
# Two sources may date the same match a day apart, because some write the local day and some the UTC day.
DAYS_APART: Final = 1
_FIXTURES_OF_SEASON = """
select distinct on (fixture_key) fixture_key::text as fixture_key, competition, season, home_team, away_team,
    kickoff_on,
    exists (select 1 from landing.match_link as link where link.fixture_key = observed.fixture_key) as is_linked,
    exists (select 1 from landing.score_observation as score where score.fixture_key = observed.fixture_key)
    as is_played
from landing.fixture_observation as observed
where competition = any(%(competitions)s) and season = any(%(seasons)s)
order by fixture_key, known_at desc, observed_at desc, payload_id desc
"""
_KNOWN_LINKS = """
select source_match_id, fixture_key::text as fixture_key from landing.match_link
where source = %(source)s and (source_match_id = any(%(ids)s) or fixture_key = any(%(keys)s::uuid[]))
order by payload_id
"""
CALLED_OFF: Final = ("postponed", "cancelled", "abandoned")


def link_matches(
    connection: Connection, payload: Payload, fixtures: pl.DataFrame, run_id: str
) -> tuple[dict[str, str], list[Rejection]]:
    """The key of every match in the body, by the source's id; new links are written and never change.

    A match has one id in a body. Of several that mean the same match, the one linked last counts, and an id that is not
    linked yet waits until the others are gone.
    """
    ids = set(fixtures["source_match_id"])
    candidates = fixtures_of(connection, fixtures)
    known = known_links(connection, payload.source, ids, candidates["fixture_key"].to_list())
    links = {each: key for each, key in known.items() if each in ids}
    new = fixtures.filter(~pl.col("source_match_id").is_in(list(links))).with_columns(
        fixture_key=pl.col("source_match_id")
    )
    found = _meant(new, candidates, set(links.values()), set(known.values()), payload.observed_at.date())
    standing = _Standing(fixtures.filter(pl.col("source_match_id").is_in(list(links))))
    waiting, taken = [], set(known.values()) - set(found.values())
    for row in new.iter_rows(named=True):
        if standing.holds(row):
            waiting.append(row)
            continue
        standing.add(row)
        own = str(fixture_key(row["competition"], row["kickoff_on"], row["home_team"], row["away_team"]))
        key = found.get(row["source_match_id"], own)
        # The key of its day belongs to a match that has moved away, or that was called off under another id.
        if key in taken:
            key = str(
                fixture_key(row["competition"], row["kickoff_on"], row["home_team"], row["source_match_id"])
            )
        taken.add(key)
        links[row["source_match_id"]] = key
    newest = {key: each for each, key in links.items()}
    older = [
        row
        for row in fixtures.iter_rows(named=True)
        if (each := row["source_match_id"]) in links and newest[links[each]] != each
    ]
    _write_links(
        connection, payload, {each: links[each] for each in new["source_match_id"] if each in links}, run_id
    )
    told = [_second_id(row, MATCH_RULE, "it is used once that is gone") for row in waiting]
    return links, told + [_second_id(row, "duplicate_row", "the one that came last is used") for row in older]


def _meant(
    new: pl.DataFrame, candidates: pl.DataFrame, listed: set[str], linked: set[str], today: date
) -> dict[str, str]:
    """The known key that each new id means: of the pairing and a day apart at most, or of a match still to be played
    whose id the source no longer announces, because it gives a moved match another."""
    free = candidates.filter(~pl.col("fixture_key").is_in(list(listed)))
    found = nearest(new, free)
    moved = free.filter(
        ~pl.col("is_played"),
        ~pl.col("fixture_key").is_in(list(found.values())),
        pl.col("competition").is_in(where_pairings_meet_once())
        | (pl.col("fixture_key").is_in(list(linked)) & (pl.col("kickoff_on") > today)),
    )
    ahead = new.filter(~pl.col("source_match_id").is_in(list(found)), ~pl.col("status").is_in(CALLED_OFF))
    return found | nearest(ahead, moved, days_apart=None)


class _Standing:
    """The pairings of a body and their days, without matches that were called off."""

    def __init__(self, fixtures: pl.DataFrame) -> None:
        self._days: dict[tuple[str, str, str], list[date]] = {}
        for row in fixtures.iter_rows(named=True):
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        if row["status"] not in CALLED_OFF:
            self._days.setdefault(self._pairing(row), []).append(row["kickoff_on"])

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether the pairing stands at most a day apart."""
        return row["status"] not in CALLED_OFF and any(
            abs((row["kickoff_on"] - day).days) <= DAYS_APART
            for day in self._days.get(self._pairing(row), ())
        )

    def _pairing(self, row: Mapping[str, Any]) -> tuple[str, str, str]:
        return row["competition"], row["home_team"], row["away_team"]


def _second_id(row: Mapping[str, Any], rule: str, consequence: str) -> Rejection:
    return Rejection(
        row["row_number"], "row", rule, "source_match_id", row["source_match_id"],
        f"the match stands in this body under another id too; {consequence}",
        f"{row['source_match_id']} {row['home_team']} - {row['away_team']}",
    )  # fmt: skip


def _write_links(connection: Connection, payload: Payload, links: Mapping[str, str], run_id: str) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy landing.match_link (source, source_match_id, fixture_key, payload_id, run_id) from stdin"
        ) as copy,
    ):
        for source_match_id, key in links.items():
            copy.write_row((payload.source, source_match_id, key, payload.payload_id, run_id))


def fixtures_of(connection: Connection, fixtures: pl.DataFrame) -> pl.DataFrame:
    """The last version of every fixture of the competitions and seasons in a frame."""
    parameters = {
        "competitions": fixtures["competition"].unique().to_list(),
        "seasons": fixtures["season"].unique().to_list(),
    }
    schema = {
        "fixture_key": pl.String, "competition": pl.String, "season": pl.String, "home_team": pl.String,
        "away_team": pl.String, "kickoff_on": pl.Date, "is_linked": pl.Boolean, "is_played": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(rows(connection, _FIXTURES_OF_SEASON, parameters), schema=schema)


def nearest(wanted: pl.DataFrame, known: pl.DataFrame, days_apart: int | None = DAYS_APART) -> dict[str, str]:
    """For each wanted key, the known key of the same pairing at most so many days apart; the nearest day wins."""
    if wanted.is_empty() or known.is_empty():
        return {}
    pairing = ["competition", "season", "home_team", "away_team"]
    pairs = (
        wanted.select("fixture_key", "kickoff_on", *pairing)
        .join(known, on=pairing, suffix="_known")
        .with_columns(days=(pl.col("kickoff_on") - pl.col("kickoff_on_known")).dt.total_days().abs())
        .filter(pl.lit(True) if days_apart is None else pl.col("days") <= days_apart)
        .sort("days", "fixture_key", "fixture_key_known")
        .unique("fixture_key", keep="first", maintain_order=True)
        .unique("fixture_key_known", keep="first", maintain_order=True)
    )
    return dict(pairs.select("fixture_key", "fixture_key_known").iter_rows())


def known_links(
    connection: Connection, source: str, ids: Sequence[str] | set[str], keys: Sequence[str]
) -> dict[str, str]:
    found = rows(connection, _KNOWN_LINKS, {"source": source, "ids": list(ids), "keys": list(keys)})
    return {row["source_match_id"]: row["fixture_key"] for row in found}
