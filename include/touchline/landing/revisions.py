"""What a new version of a file says of matches that the source listed before: they moved, or they were withdrawn.

The anchor has no match ids, so a row names its match by pairing and day. A season file is the whole truth of its
season: a match that its newest version no longer lists was either corrected to the day under which the pairing stands
now, or taken back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

import polars as pl

from touchline.database.engine import Connection, rows, scalar
from touchline.identity.fixtures import fixture_key
from touchline.landing.payloads import Payload
from touchline.sources.source import Observations

WITHDRAWN: Final = "withdrawn"
# A file that loses more of a season was cut or emptied (rule rows_vanished); its next version decides.
MOST_GONE, LARGEST_SHARE_GONE = 3, 0.1

_LISTED = """
select distinct on (fixture_key)
    fixture_key::text as fixture_key, competition, season, home_team, away_team, kickoff_on, kickoff_at,
    is_kickoff_time_known, status,
    bool_or(payload.endpoint = %(endpoint)s) over (partition by fixture_key) as is_in_file
from landing.fixture_observation as observed
inner join landing.payload using (payload_id)
where observed.source = %(source)s and competition = any(%(competitions)s) and season = any(%(seasons)s)
order by fixture_key, known_at desc, observed.observed_at desc, payload_id desc
"""
_IS_NEWEST = """
select not exists (
    select from landing.payload
    where source = %(source)s and endpoint = %(endpoint)s
        and (payload_id > %(payload_id)s or observed_at > %(observed_at)s)
)
"""

Pairing = tuple[str, str, str, str]


def follow(connection: Connection, payload: Payload, found: Observations) -> Observations:
    """Name the matches of an anchor's body by the keys that they have, and add the withdrawn ones with that status.

    A match keeps its key under another day. In the caller's transaction; nothing is written.
    """
    if found.is_whole_season and payload.is_backfill:
        return found
    parameters = {
        "source": payload.source,
        "endpoint": payload.endpoint,
        "payload_id": payload.payload_id,
        "observed_at": payload.observed_at,
        "competitions": found.fixtures["competition"].unique().to_list(),
        "seasons": found.fixtures["season"].unique().to_list(),
    }
    known = [row for row in rows(connection, _LISTED, parameters) if row["status"] != WITHDRAWN]
    keys = _keys(found.fixtures.to_dicts(), known, found.is_whole_season)
    key = pl.col("fixture_key").replace(keys)
    found = replace(
        found,
        fixtures=found.fixtures.with_columns(key),
        scores=found.scores.with_columns(key),
        quotes=found.quotes.with_columns(key),
    )
    if not found.is_whole_season or not scalar(connection, _IS_NEWEST, parameters):
        return found
    gone = _withdrawn([row for row in known if row["is_in_file"]], found)
    facts = [
        {**row, "status": WITHDRAWN, "row_number": 0, "published_at": payload.observed_at} for row in gone
    ]
    withdrawn = pl.DataFrame(facts, schema=found.fixtures.schema)
    return replace(found, fixtures=pl.concat([found.fixtures, withdrawn]))


def _keys(
    listed: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]], is_whole: bool
) -> dict[str, str]:
    """The key of each row by the key of its pairing and day: that of the match known there; else, in a whole file, of
    the nearest match of the pairing that the file lists no more; else its own."""
    days: dict[tuple[Pairing, date], set[str]] = {}
    for row in known:
        days.setdefault((_pairing(row), row["kickoff_on"]), set()).add(row["fixture_key"])
    keys: dict[str, str] = {}
    for row in listed:
        there = days.get((_pairing(row), row["kickoff_on"]), set())
        if there:
            keys[row["fixture_key"]] = row["fixture_key"] if row["fixture_key"] in there else min(there)
    new = [row for row in listed if row["fixture_key"] not in keys]
    taken = set(keys.values())
    if is_whole and new:
        free: dict[Pairing, list[Mapping[str, Any]]] = {}
        for row in known:
            if row["is_in_file"] and row["fixture_key"] not in taken:
                free.setdefault(_pairing(row), []).append(row)
        nearest = sorted(
            (abs((row["kickoff_on"] - old["kickoff_on"]).days), row["fixture_key"], old["fixture_key"])
            for row in new
            for old in free.get(_pairing(row), ())
        )
        for _, own, old_key in nearest:
            if own not in keys and old_key not in taken:
                keys[own] = old_key
                taken.add(old_key)
    for row in new:
        own = row["fixture_key"]
        if own not in keys:
            # A match that has moved away keeps the key of this day.
            keys[own] = own if own not in taken else _other_key(row)
            taken.add(keys[own])
    return keys


def _withdrawn(listed: Sequence[dict[str, Any]], found: Observations) -> list[dict[str, Any]]:
    """The matches that a newest file no longer lists, unless it lost too many, or may still mean them."""
    if any(each.rule == "row_cut" for each in found.rejections):
        return []
    now = found.fixtures.to_dicts()
    keys, pairings = {row["fixture_key"] for row in now}, {_pairing(row) for row in now}
    teams = {row[side] for row in listed for side in ("home_team", "away_team")}
    misspelt = [row for row in now if not {row["home_team"], row["away_team"]} <= teams]
    unread = [(each.rule, each.row_text or "") for each in found.rejections if each.scope == "row"]

    def may_be_meant(row: Mapping[str, Any]) -> bool:
        sides = {row["home_team"], row["away_team"]}
        return any(
            # Of two rows for one pairing, the one that is used speaks for it.
            all(side in text for side in sides)
            and not (rule == "duplicate_row" and _pairing(row) in pairings)
            for rule, text in unread
        ) or any(
            other["kickoff_on"] == row["kickoff_on"] and sides & {other["home_team"], other["away_team"]}
            for other in misspelt
        )

    gone = [row for row in listed if row["fixture_key"] not in keys and not may_be_meant(row)]
    n_listed, n_gone = (Counter(row["season"] for row in each) for each in (listed, gone))
    return [
        {name: value for name, value in row.items() if name != "is_in_file"}
        for row in gone
        if n_gone[row["season"]] <= max(MOST_GONE, LARGEST_SHARE_GONE * n_listed[row["season"]])
    ]


def _pairing(row: Mapping[str, Any]) -> Pairing:
    return row["competition"], row["season"], row["home_team"], row["away_team"]


def _other_key(row: Mapping[str, Any]) -> str:
    return str(fixture_key(row["competition"], row["kickoff_on"], row["home_team"], row["fixture_key"]))
