"""A match stays one match: when its day is corrected, when it is listed twice, when a source gives it another id."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest

from builders import match_row, season_csv
from planted_world import land, left_out
from touchline.database.engine import connect, rows, scalar
from touchline.landing import observations, payloads
from touchline.landing.resolve import resolve
from touchline.settings import Settings
from touchline.sources.source import (
    FIXTURE_SCHEMA,
    QUOTE_SCHEMA,
    SCORE_SCHEMA,
    Observations,
    Reply,
    Request,
)
from warehouse import round_robin

E0 = "mmz4281/2223/E0.csv"
SC0 = "mmz4281/2223/SC0.csv"
FIRST = datetime(2022, 10, 18, 12, tzinfo=UTC)
THEN = FIRST + timedelta(days=7)
LAST = FIRST + timedelta(days=14)
Row = Mapping[str, str]


def fetch(settings: Settings, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    with connect(settings, "ingest") as connection:
        return rows(connection, query, parameters)


def last_words(settings: Settings, home: str, away: str) -> list[tuple[str, str]]:
    """Day and status of each match of a pairing, as last told."""
    found = fetch(
        settings,
        "select * from (select distinct on (fixture_key) kickoff_on::text as day, status "
        "from landing.fixture_observation where home_team = %s and away_team = %s "
        "order by fixture_key, payload_id desc) as last order by 1, 2",
        (home, away),
    )
    return [(row["day"], row["status"]) for row in found]


def replaced(season: Sequence[Row], number: int, **changes: str) -> list[Row]:
    return [{**row, **changes} if place == number else row for place, row in enumerate(season)]


@pytest.mark.parametrize(("number", "day"), [(14, "16/10/2022"), (0, "30/09/2022"), (0, "17/10/2022")])
def test_a_corrected_day_leaves_one_match_under_its_key_with_its_result(
    settings: Settings, number: int, day: str
):
    season = round_robin()
    (home, away) = season[number]["HomeTeam"], season[number]["AwayTeam"]
    land(settings, {E0: season_csv(season)}, FIRST)
    corrected = {E0: season_csv(replaced(season, number, Date=day))}
    land(settings, corrected, THEN)
    land(settings, {E0: corrected[E0] + b"\r\n"}, LAST)
    assert last_words(settings, home, away) == [(f"{day[6:]}-{day[3:5]}-{day[:2]}", "played")]
    known = fetch(
        settings,
        "select home_goals, known_at from landing.score_observation where fixture_key = (select distinct fixture_key "
        "from landing.fixture_observation where home_team = %s and away_team = %s) order by known_at",
        (home, away),
    )
    # What was known of the old day is not known of the new one.
    assert [row["known_at"] for row in known][1:] == [THEN]
    assert {row["home_goals"] for row in known} == {int(season[number]["FTHG"])}
    left_out(settings, LAST)
    # Prices that were dated by the wrong day may lie after the kick-off.
    assert fetch(settings, "select 1 from landing.quarantined_fact where kind <> 'quote'") == []


def test_a_match_that_its_file_no_longer_lists_is_withdrawn_until_it_comes_back(settings: Settings):
    season = round_robin()
    land(settings, {E0: season_csv(season)}, FIRST)
    land(settings, {E0: season_csv(season[1:])}, THEN)
    (home, away) = season[0]["HomeTeam"], season[0]["AwayTeam"]
    assert last_words(settings, home, away) == [("2022-10-01", "withdrawn")]
    assert left_out(settings, THEN) == 0
    land(settings, {E0: season_csv(season)}, LAST)
    assert last_words(settings, home, away) == [("2022-10-01", "played")]
    scores = "select known_at from landing.score_observation where fixture_key = (select fixture_key from " \
        "landing.fixture_observation where home_team = %s and away_team = %s limit 1) order by known_at"  # fmt: skip
    assert [row["known_at"] for row in fetch(settings, scores, (home, away))][1:] == [LAST]


def both_ways() -> list[Row]:
    """A season's first weeks with one return match."""
    back = {"Date": "17/10/2022", "HomeTeam": "Burnley", "AwayTeam": "Everton", "FTHG": "7", "FTR": "H"}
    return [*round_robin(), {**round_robin()[0], **back}]


@pytest.mark.parametrize(
    "newer",
    [
        season_csv(both_ways())[:-40],
        season_csv(both_ways()[:4]),
        season_csv(replaced(both_ways(), 0, FTHG="many")),
        season_csv(replaced(both_ways(), 0, HomeTeam="Arsenall")),
        season_csv(replaced(both_ways(), 15, HomeTeam="Everton", AwayTeam="Burnley")),
    ],
    ids=["cut in a row", "cut between rows", "unreadable", "misspelt", "home and away exchanged"],
)
def test_what_a_damaged_file_lacks_is_not_withdrawn(settings: Settings, newer: bytes):
    land(settings, {E0: season_csv(both_ways())}, FIRST)
    land(settings, {E0: newer}, THEN)
    assert fetch(settings, "select 1 from landing.fixture_observation where status = 'withdrawn'") == []


def test_an_older_copy_that_is_read_later_withdraws_nothing(settings: Settings):
    season = round_robin()
    land(settings, {E0: season_csv(season)}, THEN)
    land(settings, {E0: season_csv(season[:-2])}, FIRST)
    assert fetch(settings, "select 1 from landing.fixture_observation where status = 'withdrawn'") == []


def test_pairings_that_meet_often_stay_apart_and_the_corrected_one_moves(settings: Settings):
    days = ("01/08/2022", "15/08/2022", "01/09/2022", "15/09/2022")
    season = [match_row(Div="SC0", Date=day, HomeTeam="Celtic", AwayTeam="Hearts") for day in days]
    land(settings, {SC0: season_csv(season)}, FIRST)
    land(settings, {SC0: season_csv(replaced(season, 2, Date="31/08/2022"))}, THEN)
    # The first day of the third match is that of a fifth one now.
    land(settings, {SC0: season_csv([*replaced(season, 2, Date="31/08/2022"), season[2]])}, LAST)
    assert [day for day, _ in last_words(settings, "Celtic", "Hearts")] == [
        "2022-08-01", "2022-08-15", "2022-08-31", "2022-09-01", "2022-09-15",
    ]  # fmt: skip


def announced(
    *listed: tuple[str, str, date], status: str = "scheduled", goals: tuple[int, int] | None = None
) -> Any:
    """A body of The Odds API's kind: id, pairing as `Home - Away` and day of each match, with a price of it."""
    kickoffs = [datetime.combine(day, time(14), UTC) for _, _, day in listed]
    ids = [each for each, _, _ in listed]
    numbers = list(range(1, len(listed) + 1))
    names = [pairing.split(" - ") for _, pairing, _ in listed]
    n = len(listed)
    fixtures = {
        "source_match_id": ids, "competition": ["E0"] * n, "season": [None] * n,
        "home_team": [home for home, _ in names], "away_team": [away for _, away in names],
        "kickoff_on": [day for _, _, day in listed], "kickoff_at": kickoffs, "is_kickoff_time_known": [True] * n,
        "status": [status] * n, "row_number": numbers, "published_at": [None] * n,
    }  # fmt: skip
    scores = {
        "source_match_id": ids,
        "row_number": numbers,
        **dict(zip(("home_goals", "away_goals"), goals or (), strict=False)),
    }
    quotes = {
        "source_match_id": ids, "bookmaker": ["PS"] * n, "market": ["1x2"] * n, "line": [0.0] * n,
        "is_closing": [False] * n, "price_home": [2.0] * n, "price_draw": [3.4] * n, "price_away": [4.0] * n,
        "row_number": numbers,
    }  # fmt: skip
    return fixtures, scores if goals else {}, quotes


def frame(columns: Mapping[str, Any], schema: Mapping[str, Any]) -> pl.DataFrame:
    n = len(columns.get("source_match_id", []))
    given = {name: columns.get(name, [None] * n) for name in schema}
    return pl.DataFrame(
        {k: v if isinstance(v, list) else [v] * n for k, v in given.items()}, schema=dict(schema)
    )


def say(settings: Settings, body: Any, as_of: datetime, source: str = "the_odds_api") -> Observations:
    """Land a body of a source with ids of its own, as a collection does."""
    fixtures, scores, quotes = body
    with connect(settings, "ingest") as connection:
        connection.execute("select landing.ensure_odds_partitions(%s)", (as_of,))
        text = json.dumps([as_of.isoformat(), str(body)]).encode()
        payloads.store(connection, Request(source, "list"), Reply(text), as_of, "say")
        (payload_id,) = payloads.unparsed(connection, source)
        payload = payloads.read(connection, payload_id)
        assert payload is not None
        quoted = {**quotes, "quoted_at": [as_of] * len(quotes["row_number"])}
        found = Observations(
            len(quotes["row_number"]), len(quotes["row_number"]), frame(fixtures, FIXTURE_SCHEMA),
            frame(scores, SCORE_SCHEMA), frame(quoted, QUOTE_SCHEMA), [],
        )  # fmt: skip
        resolved = resolve(connection, payload, found, {}, as_of, "say")
        observations.write(connection, payload, resolved, "say")
        connection.commit()
        return resolved


def keys(settings: Settings) -> dict[str, str]:
    found = fetch(settings, "select source_match_id, fixture_key::text as key from landing.match_link")
    return {row["source_match_id"]: row["key"] for row in found}


def ahead(day: str) -> Row:
    return match_row(Date=day, HomeTeam="Fulham", AwayTeam="Arsenal", FTHG="", FTAG="", FTR="")


@pytest.fixture
def october(settings: Settings) -> Settings:
    """A season's first weeks, and Fulham - Arsenal announced for 29 October."""
    land(settings, {E0: season_csv(round_robin()), "fixtures.csv": season_csv([ahead("29/10/2022")])}, FIRST)
    return settings


def test_a_moved_match_under_a_new_id_is_the_same_match_and_its_prices_follow(october: Settings):
    say(october, announced(("a", "Fulham - Arsenal", date(2022, 10, 29))), FIRST)
    say(october, announced(("b", "Fulham - Arsenal", date(2022, 11, 8))), THEN)
    say(october, announced(("b", "Fulham - Arsenal", date(2022, 11, 9))), LAST)
    linked = keys(october)
    assert linked["a"] == linked["b"]
    quoted = fetch(
        october,
        "select distinct fixture_key::text as key from landing.odds_observation where source = 'the_odds_api'",
    )
    assert [row["key"] for row in quoted] == [linked["a"]]
    assert len(last_words(october, "Fulham", "Arsenal")) == 1


def test_a_second_id_waits_until_the_first_is_gone(october: Settings):
    day = date(2022, 10, 29)
    say(october, announced(("a", "Fulham - Arsenal", day)), FIRST)
    both = say(
        october,
        announced(("a", "Fulham - Arsenal", day), ("b", "Fulham - Arsenal", day)),
        FIRST + timedelta(hours=1),
    )
    (waiting,) = both.rejections
    assert (waiting.rule, waiting.value, both.n_parsed) == ("match_unknown", "b", 1)
    say(october, announced(("b", "Fulham - Arsenal", day)), THEN)
    again = say(october, announced(("a", "Fulham - Arsenal", day), ("b", "Fulham - Arsenal", day)), LAST)
    assert [(each.rule, each.value) for each in again.rejections] == [("duplicate_row", "a")]
    assert len(set(keys(october).values())) == 1


def test_where_pairings_meet_often_the_next_meeting_is_no_moved_one(settings: Settings):
    season = [row | {"Div": "SC0"} for row in round_robin()]
    land(settings, {SC0: season_csv(season)}, FIRST)

    def body(each: str, day: date) -> Any:
        fixtures, scores, quotes = announced((each, "Arsenal - Chelsea", day))
        return {**fixtures, "competition": ["SC0"]}, scores, quotes

    # Played and not told yet, when its id is gone and that of the next meeting comes.
    say(settings, body("a", date(2022, 10, 24)), FIRST)
    say(settings, body("b", date(2023, 2, 4)), THEN)
    # Moved before it was played.
    say(settings, body("c", date(2023, 2, 18)), LAST)
    linked = keys(settings)
    assert linked["a"] != linked["b"] == linked["c"]


def test_a_pairing_that_is_played_does_not_come_again(october: Settings):
    home, away = round_robin()[0]["HomeTeam"], round_robin()[0]["AwayTeam"]
    left_out(october, FIRST)
    say(october, announced(("x", f"{home} - {away}", date(2022, 11, 26))), THEN)
    assert left_out(october, THEN) == 1
    (found,) = fetch(october, "select rule, reason from landing.quarantined_fact")
    assert (found["rule"], "played on 2022-10-01" in found["reason"]) == ("pairing_repeated", True)


def test_a_match_announced_for_years_ago_is_set_aside(october: Settings):
    land(
        october,
        {"fixtures.csv": season_csv([ahead("29/10/2022"), ahead("25/04/2016") | {"HomeTeam": "Leeds"}])},
        THEN,
    )
    assert left_out(october, THEN) == 1
    (found,) = fetch(october, "select rule, reason from landing.quarantined_fact")
    assert found["rule"] == "kickoff_long_past"
    assert found["reason"].startswith("Leeds - Arsenal is announced for 2016-04-25")


@pytest.mark.parametrize(
    ("day", "season"),
    [("11/07/2020", "2019/20"), ("12/09/2020", "2020/21"), ("25/07/2020", "2020/21")],
    ids=["goes on", "new", "long after"],
)
def test_a_list_without_seasons_belongs_to_the_season_that_is_played(
    settings: Settings, day: str, season: str
):
    played = [match_row(Date="04/07/2020"), match_row(Date="08/03/2020", HomeTeam="Leeds")]
    listed = match_row(Date=day, HomeTeam="Chelsea", AwayTeam="Arsenal", FTHG="", FTAG="", FTR="")
    as_of = datetime(2020, 7, 6, tzinfo=UTC)
    land(settings, {"mmz4281/1920/E0.csv": season_csv(played), "fixtures.csv": season_csv([listed])}, as_of)
    with connect(settings, "ingest") as connection:
        assert (
            scalar(connection, "select season from landing.fixture_observation where status = 'scheduled'")
            == season
        )
