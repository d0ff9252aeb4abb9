"""The warehouse on small landed files: what is built, and that it never knows the future."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from builders import match_row, season_csv, write_season_file
from databases import copy_of
from october import NOW
from table_digests import table_digests
from touchline.database.engine import connect, rows, scalar
from touchline.errors import DatabaseUnavailable, WarehouseBuildFailed
from touchline.features.catalogue import FEATURES
from touchline.settings import Settings
from touchline.sources.football_data_uk.parse import parse
from touchline.warehouse.build import build_layer
from touchline.warehouse.changes import stands_as_of
from touchline.warehouse.invocation import run_dbt
from warehouse import build, land, round_robin

pytestmark = pytest.mark.slow

MONDAY = datetime(2022, 10, 3, 20, tzinfo=UTC)
NOVEMBER = datetime(2022, 11, 1, tzinfo=UTC)
MARCH = datetime(2023, 3, 1, tzinfo=UTC)
# Once dbt is at work: every connection of the build, and how many they were.
CUT = """
with own as (
    select application_name, pid from pg_stat_activity
    where usename = current_user and datname = current_database() and pid <> pg_backend_pid()
)
select count(*) from own
where exists (select from own where application_name = 'dbt') and pg_terminate_backend(pid)
"""
# Only the one that holds the lock of the build.
CUT_LOCK = """
with holder as materialized (
    select own.pid from pg_stat_activity as own inner join pg_locks as lock using (pid)
    where own.datname = current_database() and lock.locktype = 'advisory' and lock.granted and exists (
        select from pg_stat_activity as other where other.datname = own.datname and other.application_name = 'dbt'
    )
)
select count(*) from holder where pg_terminate_backend(pid)
"""
UNPLAYED = {"FTHG": "", "FTAG": "", "FTR": ""}

# When a season file was there to be read, of which competition, and its rows.
File = tuple[datetime, str, list[dict[str, str]]]


def fetch(settings: Settings, query: str, parameters: Any = None) -> list[dict[str, Any]]:
    with connect(settings, "transform") as connection:
        return rows(connection, query, parameters)


@pytest.fixture(scope="module")
def built(october: Settings) -> Iterator[Settings]:
    with copy_of(october) as copy:
        yield copy


@dataclass(frozen=True)
class Seasons:
    """Seasons side by side, each with a story of its own, as they stand in March.

    `monday` are the features as of an early Monday, `monday_again` those of that instant with all later files there.
    """

    settings: Settings
    monday: list[dict[str, Any]]
    monday_again: list[dict[str, Any]]


@pytest.fixture(scope="module")
def seasons(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Seasons:
    folder = tmp_path_factory.mktemp("files")
    write_season_file(folder, RELEGATED, code="2122", competition="E1")
    files = sorted(
        [*CALENDAR, *PROMOTION, *LATE_RESULT, *LATE_PRICES, *REVISIONS, *PLANTED, *FOUR_MEETINGS, *MOVED],
        key=lambda file: file[0],
    )

    def land_files(first: datetime, last: datetime) -> Settings:
        for observed_at, competition, told in files:
            if first < observed_at <= last:
                own = [row | {"Div": competition} for row in told]
                sourced = land(module_settings, folder, own, observed_at, competition)
        return sourced

    def features_of_monday(sourced: Settings) -> list[dict[str, Any]]:
        build(sourced, MONDAY)
        return fetch(sourced, "select * from features.match_features order by match_id")

    monday = features_of_monday(land_files(datetime.min.replace(tzinfo=UTC), MONDAY))
    sourced = land_files(MONDAY, MARCH)
    monday_again = features_of_monday(sourced)
    build(sourced, MARCH)
    return Seasons(sourced, monday, monday_again)


def test_every_match_becomes_one_row_of_core_and_of_features(built: Settings):
    counted = fetch(
        built,
        "select (select count(*) from core.match) as n_matches, (select count(*) from core.match_result) as n_results, "
        "(select count(*) from features.match_features) as n_features, (select count(*) from core.team) as n_teams",
    )
    assert counted == [{"n_matches": 16, "n_results": 15, "n_features": 16, "n_teams": 6}]


def test_features_of_a_fixture_are_those_of_the_teams_last_matches(built: Settings):
    (row,) = fetch(built, "select * from features.match_features where not is_played")
    played = [match for match in round_robin() if "Arsenal" in (match["HomeTeam"], match["AwayTeam"])]
    assert all(match["HomeTeam"] == "Arsenal" for match in played)
    last_five = played[-5:]
    assert row["away_goals_for_5"] == pytest.approx(sum(int(match["FTHG"]) for match in last_five) / 5)
    assert row["away_n_played"] == 5
    assert row["features_as_of"] == NOW
    last_day = datetime.strptime(played[-1]["Date"], "%d/%m/%Y").replace(tzinfo=UTC)
    kickoff = datetime(2022, 11, 2, 15, tzinfo=UTC)
    # The last match kicked off at 15:00 British Summer Time.
    assert row["away_rest_days"] == pytest.approx(
        (kickoff - (last_day + timedelta(hours=14))).total_seconds() / 86400
    )


def test_features_of_a_fixture_say_how_its_competition_scores(built: Settings):
    (row,) = fetch(built, "select * from features.match_features where not is_played")
    season = round_robin()
    for side, statistic in (("home", "FTHG"), ("away", "FTAG")):
        mean = sum(int(match[statistic]) for match in season) / len(season)
        assert row[f"competition_{side}_goals"] == pytest.approx(mean)


def test_features_of_a_match_stand_before_its_kickoff_and_ignore_its_own_result(built: Settings):
    first = fetch(
        built,
        "select features.* from features.match_features as features inner join core.match using (match_id) "
        "where home_team = 'Arsenal' and away_team = 'Chelsea'",
    )[0]
    assert first["features_as_of"] == first["kickoff_at"] - timedelta(minutes=1)
    assert first["home_elo"] is None
    assert first["home_goals_for_5"] is None
    assert first["home_n_played"] == 0


_played = match_row(Date="01/10/2022", HomeTeam="Arsenal", AwayTeam="Chelsea")
_midweek = match_row(Date="05/10/2022", HomeTeam="Leeds", AwayTeam="Arsenal")
_ahead = match_row(Date="08/10/2022", HomeTeam="Arsenal", AwayTeam="Fulham")
_later = match_row(Date="15/10/2022", HomeTeam="Everton", AwayTeam="Arsenal", **UNPLAYED)
# Five days ago, and nobody gave a result: it was not played.
_lost = match_row(Date="28/09/2022", HomeTeam="Fulham", AwayTeam="Everton", **UNPLAYED)
CALENDAR: list[File] = [
    (MONDAY, "B1", [_lost, _played, _midweek | UNPLAYED, _ahead | UNPLAYED, _later]),
    (datetime(2022, 10, 10, tzinfo=UTC), "B1", [_lost, _played, _midweek, _ahead, _later]),
]


def test_rest_and_matches_before_a_fixture_are_those_announced_as_much_as_those_played(seasons: Seasons):
    (match,) = fetch(
        seasons.settings,
        "select features.* from features.match_features as features inner join core.match using (match_id) "
        "where match.competition = 'B1' and home_team = 'Arsenal' and away_team = 'Fulham'",
    )
    (before,) = (row for row in seasons.monday if row["match_id"] == match["match_id"])
    expected = {"home_rest_days": 3, "home_n_matches_14d": 2, "away_rest_days": 30, "away_n_matches_14d": 0}
    for row in (before, match):
        assert {name: row[name] for name in expected} == expected


RELEGATED = [match_row(Div="E1", Date="07/05/2022", HomeTeam="Fulham", AwayTeam="Luton")]
# Breaks of 42 days, and one of 53 in winter.
_days = ("06/08/2022", "17/09/2022", "29/10/2022", "10/12/2022", "01/02/2023", "08/02/2023")
PROMOTION: list[File] = [
    (MARCH, "E0", [match_row(Date=day, HomeTeam="Fulham", AwayTeam=f"Away {day}") for day in _days])
]


def test_a_promoted_team_changes_tier_until_its_next_long_break(seasons: Seasons):
    found = fetch(
        seasons.settings,
        "select home_tier_change from features.match_features where competition = 'E0' order by kickoff_at",
    )
    assert [row["home_tier_change"] for row in found] == [1, 1, 1, 1, 0, 0]


_first = match_row(Date="01/10/2022", HomeTeam="Arsenal", AwayTeam="Chelsea", FTHG="4")
_second = match_row(Date="08/10/2022", HomeTeam="Arsenal", AwayTeam="Leeds")
_other = match_row(Date="02/10/2022", HomeTeam="Fulham", AwayTeam="Everton")
# The first file came before any result; the results were only seen a month later.
LATE_RESULT: list[File] = [
    (datetime(2022, 9, 30, tzinfo=UTC), "D1", [_first | UNPLAYED, _second | UNPLAYED]),
    (datetime(2022, 10, 3, 12, tzinfo=UTC), "D1", [_other]),
    (NOVEMBER, "D1", [_first, _second]),
]


def test_a_result_known_only_after_the_next_kickoff_is_not_in_its_features(seasons: Seasons):
    found = fetch(
        seasons.settings,
        "select away_team, home_goals_for_5, home_elo from features.match_features inner join core.match "
        "using (match_id) where match.competition = 'D1' and home_team = 'Arsenal' order by match.kickoff_at",
    )
    assert [(row["away_team"], row["home_goals_for_5"], row["home_elo"]) for row in found] == [
        ("Chelsea", None, None), ("Leeds", None, None),
    ]  # fmt: skip


_late = match_row(Date="29/10/2022", HomeTeam="Arsenal", AwayTeam="Chelsea")
_in_time = match_row(Date="29/10/2022", HomeTeam="Leeds", AwayTeam="Fulham")
_unpriced = {"AvgCH": "", "AvgCD": "", "AvgCA": ""}
LATE_PRICES: list[File] = [
    (datetime(2022, 10, 28, 20, tzinfo=UTC), "F1", [row | _unpriced | UNPLAYED for row in (_late, _in_time)]),
    (datetime(2022, 10, 30, 12, tzinfo=UTC), "F1", [_late | _unpriced, _in_time]),
    (NOVEMBER, "F1", [_late, _in_time]),
]


def test_prices_known_only_after_a_result_are_not_rated_with_it(seasons: Seasons):
    found = fetch(
        seasons.settings,
        "select home_team, core.match_odds.price_home, move_last from core.match "
        "inner join core.match_odds using (match_id) inner join features.team_rating as rating "
        "on rating.match_id = match.match_id and rating.team_id = match.home_team_id "
        "where match.competition = 'F1' and match_odds.stage = 'closing' and bookmaker = 'consensus' order by 1",
    )
    assert [row["price_home"] for row in found] == pytest.approx([1.95, 1.95])
    unmoved, moved = (row["move_last"] for row in found)
    assert unmoved == 0 < moved


LINES = ("-1", "-0.75", "-0.5", "-0.25", "0", "0.25")
BOTH_WAYS = ("1.80", "1.85", "1.90", "1.95", "2.00", "2.05")
OFFERS = {
    "B365": "HDA", "Avg": "HDA", "PS": "HDA", "AvgC": "HDA", "PSC": "HDA", "Avg>2.5 Avg<2.5": "",
    "AvgC>2.5 AvgC<2.5": "", "B365AH": "HA", "AvgAH": "HA", "B365CAH": "HA", "AvgCAH": "HA",
}  # fmt: skip


def columns_of(offer: str) -> list[str]:
    return [f"{offer}{letter}" for letter in OFFERS[offer]] or offer.split()


def offers(chance: random.Random) -> dict[str, str]:
    """Prices of every offer of a row, and the lines of its handicaps."""
    row = {"AHh": chance.choice(LINES), "AHCh": chance.choice(LINES)}
    for offer in OFFERS:
        names = columns_of(offer)
        prices = BOTH_WAYS if len(names) == 2 else ("2.60", "2.70", "2.80", "2.90")
        row |= {name: chance.choice(prices) for name in names}
    return row


def revised(row: dict[str, str], chance: random.Random) -> dict[str, str]:
    """What a publisher changes in a row, if anything: an offer or a line, which may also be missing or come back."""
    if chance.random() < 0.3:
        return {}
    new = offers(chance)
    if chance.random() < 0.4:
        line = chance.choice(("AHh", "AHCh"))
        return {line: new[line]}
    offer = chance.choice(list(OFFERS))
    is_gone = chance.random() < 0.4
    return {name: "" if is_gone else new[name] for name in columns_of(offer)}


def revisions() -> Iterator[File]:
    """Of October nothing was seen before kick-off, of most of November neither; what was then is not revised."""
    chance = random.Random(20260801)
    october, november = (
        [{**row, "Div": "SP1", **offers(chance)} for row in round_robin(day)] for day in (1, 7)
    )
    for row in november:
        row["Date"] = row["Date"].replace("/10/", "/11/")
        row["HomeTeam"], row["AwayTeam"] = row["AwayTeam"], row["HomeTeam"]
    for day in (7, 14, 21):
        october = [row | revised(row, chance) for row in october]
        yield datetime(2022, 11, day, 12, tzinfo=UTC), "SP1", [*october, *november]


REVISIONS = list(revisions())


def test_a_season_read_in_steps_while_its_publisher_revises_it_has_the_prices_of_the_last_file(
    seasons: Seasons,
):
    observed_at, competition, last_file = REVISIONS[-1]
    found = fetch(
        seasons.settings,
        "select home_team, bookmaker, market, line, odds.stage = 'closing' as is_closing, price_home, "
        "price_over, p_home from core.match_odds as odds inner join core.match using (match_id) "
        "where competition = %s and kickoff_at < %s",
        (competition, observed_at),
    )
    body = season_csv([row for row in last_file if row["Date"] < "21/11" or "/10/" in row["Date"]])
    told = parse("mmz4281/2223/SP1.csv", body)
    home = dict(told.fixtures.select("fixture_key", "home_team").iter_rows())
    assert len(told.fixtures) == 29
    facts = ("bookmaker", "market", "line", "is_closing", "price_home", "price_over")
    expected = Counter(
        (home[row["fixture_key"]], *(row[name] for name in facts))
        for row in told.quotes.iter_rows(named=True)
    )
    quotes = [row for row in found if row["bookmaker"] != "consensus"]
    assert Counter((row["home_team"], *(row[name] for name in facts)) for row in quotes) == expected
    averages = Counter(
        (row["home_team"], *(row[name] for name in facts[1:]))
        for row in quotes
        if row["bookmaker"] == "market_average"
    )
    consensus = Counter(
        (row["home_team"], *(row[name] for name in facts[1:]))
        for row in found
        if row["bookmaker"] == "consensus"
    )
    assert consensus >= averages


_planted = [row | {"FTHG": "9", "FTAG": "0", "FTR": "H"} for row in round_robin()[3:]]
PLANTED: list[File] = [
    (MONDAY, "N1", round_robin()),
    (NOVEMBER, "N1", [*round_robin()[:3], *_planted]),
]


def test_planting_a_future_result_changes_no_earlier_feature(seasons: Seasons):
    before, after = (
        [row for row in features if row["competition"] == "N1"]
        for features in (seasons.monday, seasons.monday_again)
    )
    assert len(before) == 15
    assert after == before


FOUR_MEETINGS: list[File] = [
    (
        datetime(2022, 12, 1, tzinfo=UTC),
        "SC0",
        [
            match_row(Date=day, HomeTeam="Celtic", AwayTeam="Hearts")
            for day in ("01/10/2022", "15/10/2022", "01/11/2022", "15/11/2022")
        ],
    )
]


def test_a_pairing_played_four_times_a_season_is_four_matches(seasons: Seasons):
    found = fetch(
        seasons.settings,
        "select home_n_played, status from features.match_features inner join core.match using (match_id) "
        "where match.competition = 'SC0' order by match.kickoff_at",
    )
    assert [(row["home_n_played"], row["status"]) for row in found] == [(n, "played") for n in range(4)]


MOVED: list[File] = [
    (datetime(2022, 10, 3, tzinfo=UTC), "I1", [match_row(Date="08/10/2022", **UNPLAYED)]),
    (NOVEMBER, "I1", [match_row(Date="19/10/2022")]),
]


def test_a_match_played_on_another_day_supersedes_its_announcement(seasons: Seasons):
    found = fetch(
        seasons.settings,
        "select kickoff_on::text as day, status from core.match where competition = 'I1' order by 1",
    )
    assert [(row["day"], row["status"]) for row in found] == [
        ("2022-10-08", "superseded"),
        ("2022-10-19", "played"),
    ]
    assert len(fetch(seasons.settings, "select 1 from features.match_features where competition = 'I1'")) == 1


def test_the_league_table_counts_what_was_known(built: Settings):
    final = fetch(built, "select distinct on (team_id) name, points, n_played, position from features.league_table "
                  "inner join core.team using (team_id) order by team_id, valid_from desc")  # fmt: skip
    points = dict.fromkeys((row["name"] for row in final), 0)
    for match in round_robin():
        home, away = int(match["FTHG"]), int(match["FTAG"])
        points[match["HomeTeam"]] += 3 * (home > away) + (home == away)
        points[match["AwayTeam"]] += 3 * (away > home) + (home == away)
    assert {row["name"]: row["points"] for row in final} == points
    assert {row["n_played"] for row in final} == {5}
    assert min(final, key=lambda row: row["position"])["points"] == max(points.values())


def test_consensus_prices_are_the_sources_average_and_never_the_closing_ones(built: Settings):
    found = fetch(
        built,
        "select stage, price_home, overround from core.match_odds where bookmaker = 'consensus' "
        "and match_id = (select match_id from core.match order by kickoff_at limit 1) order by stage",
    )
    assert [(row["stage"], round(row["price_home"], 2)) for row in found] == [
        ("closing", 1.95),
        ("prematch", 1.98),
    ]
    (row,) = fetch(
        built,
        "select market_price_home, market_price_hours from features.match_features order by kickoff_at limit 1",
    )
    # A Saturday at 15:00 in England; prices are collected on Friday at that time.
    assert row["market_price_home"] == pytest.approx(1.98, abs=1e-6)
    assert row["market_price_hours"] == 24


def test_the_same_build_twice_gives_the_same_tables(built: Settings):
    def stand() -> tuple[dict[str, str], list[dict[str, Any]]]:
        strengths = fetch(built, "select * from analytics.team_strength order by team_id")
        return table_digests(built, ["core", "features"]), strengths

    before = stand()
    assert not build(built, NOW)[0].is_full
    assert stand() == before


def test_a_broken_layer_says_which_model_and_why(built: Settings):
    with connect(built, "transform") as connection:
        connection.execute("alter table features.team_rating rename to hidden")
    with pytest.raises(WarehouseBuildFailed, match="match_features") as caught:
        build_layer(built, "features", NOW, "test")
    assert "team_rating" in str(caught.value)
    with connect(built, "transform") as connection:
        connection.execute("alter table features.hidden rename to team_rating")
    # Two of the six follow only what has landed.
    assert build_layer(built, "features", NOW, "test").n_models == 4


def test_without_news_only_what_time_moves_is_made_again(built: Settings):
    before = table_digests(built, ["core", "features"])
    reports = [build_layer(built, layer, NOW, "again") for layer in ("core", "features")]
    # Three views in which the instant is, matches, seasons and two snapshots; forms, league tables and features.
    assert [(report.n_changed, report.n_models) for report in reports] == [(0, 7), (0, 4)]
    with connect(built, "transform") as connection:
        connection.execute("drop table core.match_odds cascade")
        connection.execute("drop table features.market_view cascade")
    reports = [build_layer(built, layer, NOW, "missing") for layer in ("core", "features")]
    assert [report.n_models for report in reports] == [15, 6]
    assert table_digests(built, ["core", "features"]) == before


def cut(settings: Settings, statement: str) -> None:
    """End sessions as soon as dbt has one."""
    with connect(settings, "transform") as connection:
        connection.autocommit = True
        while not scalar(connection, statement):
            pass


def test_a_build_that_loses_its_database_is_no_failed_build(built: Settings):
    with ThreadPoolExecutor(1) as pool:
        cutting = pool.submit(cut, built, CUT)
        with pytest.raises(DatabaseUnavailable, match="was lost") as caught:
            build_layer(built, "analytics", NOW, "test", is_full=True)
        cutting.result()
    assert isinstance(caught.value.__cause__, psycopg.OperationalError)
    assert isinstance(caught.value.__cause__.__context__, WarehouseBuildFailed)
    assert build_layer(built, "analytics", NOW, "test").is_full


def test_only_a_session_that_has_lasted_records_a_build(built: Settings):
    later = NOW + timedelta(minutes=5)
    with ThreadPoolExecutor(1) as pool:
        cutting = pool.submit(cut, built, CUT_LOCK)
        with pytest.raises(DatabaseUnavailable, match="was lost"):
            build_layer(built, "core", later, "test")
        cutting.result()
    assert stands_as_of(built, "core") == NOW
    build_layer(built, "core", later, "test")
    assert stands_as_of(built, "core") == later


def test_every_feature_of_the_catalogue_is_a_column(built: Settings):
    columns = fetch(built, "select column_name from information_schema.columns where table_schema = 'features' "
                    "and table_name = 'match_features'")  # fmt: skip
    assert set(FEATURES) <= {row["column_name"] for row in columns}


def test_every_model_and_column_is_documented(built: Settings):
    manifest = json.loads(
        (built.home / "dbt" / built.warehouse_database / "target" / "manifest.json").read_text()
    )
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")]
    assert len(nodes) > 20
    for node in nodes:
        assert node["description"], node["name"]
        documented = {name for name, column in node["columns"].items() if column["description"]}
        found = fetch(
            built,
            "select column_name from information_schema.columns where table_schema = %s and table_name = %s",
            (node["schema"], node["name"]),
        )
        assert {row["column_name"] for row in found} == documented, node["name"]


def test_the_read_only_role_sees_analytics_and_writes_nothing(built: Settings):
    with connect(built, "api") as connection:
        assert rows(connection, "select count(*) as n from analytics.team_strength") == [{"n": 6}]
        with pytest.raises(Exception, match="permission denied"):
            connection.execute("delete from core.match")


def test_dbt_unit_tests_pass(built: Settings):
    results = run_dbt(built, "test", "--select", "test_type:unit").results
    assert results
    assert {result.status for result in results} == {"pass"}
