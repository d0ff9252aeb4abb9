"""Builds go on from where each layer stands, whatever came between: they died, went back, or lost a fact."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import match_row, write_season_file
from databases import copy_of
from table_digests import table_digests
from touchline.database.engine import Connection, connect, rows, scalar
from touchline.operations.due import build_inputs
from touchline.quality.gates import check_landing
from touchline.quality.holds import release
from touchline.settings import Settings
from touchline.warehouse.build import build_layer
from warehouse import build, land, round_robin

pytestmark = pytest.mark.slow

START = datetime(2022, 10, 9, 12, tzinfo=UTC)
LATER = START + timedelta(days=3)
LAST = START + timedelta(days=8)


@pytest.fixture(scope="module")
def built(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Eight days of a season, built in full."""
    sourced = land(module_settings, tmp_path_factory.mktemp("files"), round_robin(), START)
    build(sourced, START)
    return sourced


@pytest.fixture
def world(built: Settings) -> Iterator[Settings]:
    """A copy of it for one test."""
    with copy_of(built) as copy:
        yield copy


def digests(settings: Settings) -> dict[str, str]:
    # Snapshots say what builds found, and when.
    found = table_digests(settings, ["core", "features"])
    return {table: digest for table, digest in found.items() if not table.endswith("_snapshot")}


def equals_a_full_build(settings: Settings, as_of: datetime) -> bool:
    increments = digests(settings)
    build(settings, as_of, is_full=True)
    return digests(settings) == increments


def stands(settings: Settings) -> dict[str, Any]:
    with connect(settings, "transform") as connection:
        return {row["layer"]: row for row in rows(connection, "select * from ops.layer_build")}


def landed(settings: Settings, tmp_path: Path, as_of: datetime, goals: str = "1") -> None:
    season = round_robin()
    season[2]["FTHG"] = goals
    land(settings, tmp_path, season, as_of)


@pytest.mark.nightly  # By day: tests/integration/test_pipeline.py, a build that died half-way.
def test_a_layer_that_missed_a_build_makes_it_up(world: Settings, tmp_path: Path):
    landed(world, tmp_path, LATER, goals="7")
    # Ratings and features never saw this one.
    assert not build_layer(world, "core", LATER, "test").is_full
    assert n_changes(world) > 0
    landed(world, tmp_path, LAST, goals="6")
    build(world, LAST)
    assert n_changes(world) == 0, "what every layer has worked in is forgotten"
    assert equals_a_full_build(world, LAST)


def n_changes(settings: Settings) -> int:
    with connect(settings, "transform") as connection:
        return int(scalar(connection, "select count(*) from ops.match_change"))


@pytest.mark.nightly  # By day: tests/integration/test_pipeline.py, another as_of.
def test_a_build_that_goes_back_in_time_is_in_full_and_goes_on_from_there(world: Settings, tmp_path: Path):
    landed(world, tmp_path, LAST, goals="5")
    build(world, LAST)
    assert build(world, START)[0].is_full
    assert not build(world, LATER)[0].is_full
    assert not build(world, LAST)[0].is_full
    assert equals_a_full_build(world, LAST)


@pytest.mark.parametrize(
    ("kind", "is_full"),
    [
        pytest.param("score", False, marks=pytest.mark.nightly),
        ("quote", False),
        pytest.param("fixture", True, marks=pytest.mark.nightly),
    ],
)
def test_a_fact_set_aside_after_it_was_built_is_gone_from_everything(
    world: Settings, kind: str, is_full: bool
):
    table = {"quote": "odds_observation"}.get(kind, f"{kind}_observation")
    columns = (
        "bookmaker, market, line, is_closing" if kind == "quote" else "null, null, null::real, null::boolean"
    )
    # The closing price is what ratings read of a match.
    which = "where is_closing" if kind == "quote" else ""
    with connect(world, "transform") as connection:
        aside = scalar(
            connection,
            "insert into landing.quarantined_fact (kind, fixture_key, payload_id, bookmaker, market, line, is_closing, "
            f"rule, reason, observed_at, run_id) select '{kind}', fixture_key, payload_id, {columns}, 'test', 'test', "
            f"%s, 'test' from landing.{table} {which} order by fixture_key limit 1 returning fixture_key",
            (START,),
        )
    assert build(world, LATER)[0].is_full is is_full
    with connect(world, "transform") as connection:
        left = {
            "score": "select count(*) from core.match_result where match_id = %s",
            "quote": "select count(*) - (select max(n) from (select count(*) as n from core.match_odds "
            "group by match_id) as counted) from core.match_odds where match_id = %s",
            "fixture": "select count(*) from core.match where match_id = %s",
        }
        assert scalar(connection, left[kind], (aside,)) <= 0
    assert equals_a_full_build(world, LATER)


@pytest.mark.parametrize(
    ("wrong", "is_full"),
    [({"FTHG": "21"}, False), pytest.param({"Time": "20:00"}, True, marks=pytest.mark.nightly)],
    ids=["score", "fixture"],
)
def test_what_a_hold_kept_out_comes_back_once_it_is_released(
    world: Settings, tmp_path: Path, wrong: dict[str, str], is_full: bool
):
    season = round_robin()
    land(world, tmp_path, season, LATER - timedelta(hours=1))
    told_wrong = [
        match_row(**{name: value for name, value in row.items() if name != "FTR"} | wrong)
        for row in season[:11]
    ]
    land(world, tmp_path, [*told_wrong, *season[11:]], LATER)
    with copy_of(world) as never_held:
        build(never_held, LATER)
        expected = digests(never_held)
    assert check_landing(world, LATER, "check").held == ("E0",)
    build(world, LATER)
    assert digests(world) != expected
    with connect(world, "ingest") as connection:
        held = build_inputs(connection, LATER)
    release(world, "E0", "it was so", LATER, "release")
    with connect(world, "ingest") as connection:
        assert build_inputs(connection, LATER) != held, "the next build is due"
    assert build(world, LATER)[0].is_full is is_full
    assert digests(world) == expected
    again = check_landing(world, LATER + timedelta(hours=1), "again")
    assert (again.n_quarantined, again.held) == (0, ())


@pytest.mark.nightly  # By day: tests/integration/test_ratings_update.py, late results.
def test_an_archive_of_quotes_that_lands_late_is_known_to_the_ratings_of_its_time(world: Settings):
    archived(world, LATER)
    with connect(world, "transform") as connection:
        before = rows(connection, "select * from features.team_rating")
    assert not build(world, LATER)[0].is_full
    with connect(world, "transform") as connection:
        assert rows(connection, "select * from features.team_rating") != before
    assert equals_a_full_build(world, LATER)


def archived(settings: Settings, observed_at: datetime) -> None:
    """Closing quotes of Pinnacle, published before the results of their matches, land from an archive."""
    with connect(settings, "ingest") as connection:
        payload_id = scalar(
            connection,
            "insert into landing.payload (source, endpoint, observed_at, is_backfill, content_hash, n_bytes, body, "
            "run_id) values ('archive', 'quotes', %s, true, 'h', 1, 'b', 'test') returning payload_id",
            (observed_at,),
        )
        connection.execute(
            "insert into landing.odds_observation (fixture_key, source, bookmaker, market, is_closing, price_home, "
            "price_draw, price_away, payload_id, row_number, quoted_at, observed_at, known_at) "
            "select fixture_key, 'archive', 'PS', market, true, price_home + 0.4, price_draw, price_away, %s, 1, "
            "quoted_at, %s, known_at from landing.odds_observation "
            "where is_closing and bookmaker = 'market_average' and market = '1x2' order by known_at limit 3",
            (payload_id, observed_at),
        )
        connection.execute(
            "insert into landing.payload_parsed values (%s, 3, 3, 0, 0, 0, 0, 3, 'test')", (payload_id,)
        )


def test_a_table_that_somebody_dropped_is_built_again(world: Settings):
    with connect(world, "transform") as connection:
        connection.execute("drop table features.team_form")
    build_layer(world, "features", START, "test")
    assert equals_a_full_build(world, START)


@pytest.mark.nightly  # By day in one build (tests/dbt/test_warehouse.py).
def test_a_match_moved_to_another_day_leaves_its_old_one(world: Settings, tmp_path: Path):
    fixture = match_row(Date="14/10/2022", HomeTeam="Burnley", AwayTeam="Arsenal", FTHG="", FTAG="", FTR="")
    land(world, tmp_path, [*round_robin(), fixture], START + timedelta(days=1))
    build(world, START + timedelta(days=1))
    land(world, tmp_path, [*round_robin(), fixture | {"Date": "16/10/2022"}], LATER)
    build(world, LATER)
    build(world, LAST)
    with connect(world, "transform") as connection:
        found = rows(
            connection,
            "select kickoff_on::text as day, status from core.match "
            "where home_team = 'Burnley' and away_team = 'Arsenal' order by 1",
        )
    assert [(row["day"], row["status"]) for row in found] == [
        ("2022-10-14", "superseded"),
        ("2022-10-16", "scheduled"),
    ]
    assert equals_a_full_build(world, LAST)


def test_a_match_whose_day_is_corrected_or_that_is_taken_back_counts_as_its_newest_file_says(
    world: Settings, tmp_path: Path
):
    def stand() -> list[tuple[str, str]]:
        with connect(world, "transform") as connection:
            found = rows(
                connection,
                "select kickoff_on::text as day, status from core.match "
                "where home_team = 'Arsenal' and away_team in ('Chelsea', 'Leeds') order by away_team",
            )
        return [(row["day"], row["status"]) for row in found]

    def n_played() -> dict[str, int]:
        with connect(world, "transform") as connection:
            found = rows(
                connection,
                "select distinct on (team_id) name, n_played from features.league_table inner join core.team "
                "using (team_id) order by team_id, valid_from desc",
            )
        return {row["name"]: row["n_played"] for row in found}

    before = n_played()
    season = round_robin()
    # Arsenal - Chelsea of 1 October was on 30 September, and Arsenal - Leeds was not played.
    corrected = [season[0] | {"Date": "30/09/2022"}, *season[2:]]
    land(world, tmp_path, corrected, START + timedelta(hours=1))
    assert not build(world, START + timedelta(hours=1))[0].is_full
    assert stand() == [("2022-09-30", "played"), ("2022-10-02", "superseded")]
    assert n_played() == before | {"Arsenal": before["Arsenal"] - 1, "Leeds": before["Leeds"] - 1}
    assert equals_a_full_build(world, START + timedelta(hours=1))


@pytest.mark.nightly  # By day rest before a fixture is held by tests/dbt/test_warehouse.py, and moved matches below.
def test_rest_follows_fixtures_that_are_added_moved_and_called_off_before_a_later_one(
    world: Settings, tmp_path: Path
):
    unplayed = {"FTHG": "", "FTAG": "", "FTR": ""}
    # Six sides play until 15 October; Arsenal's last match is on the 5th.
    season = [*round_robin(), match_row(Date="29/10/2022", HomeTeam="Fulham", AwayTeam="Arsenal", **unplayed)]
    between = match_row(Date="19/10/2022", HomeTeam="Burnley", AwayTeam="Arsenal", **unplayed)

    def calendar(as_of: datetime) -> tuple[float, float]:
        assert not build(world, as_of)[0].is_full
        with connect(world, "transform") as connection:
            (row,) = rows(
                connection,
                "select away_rest_days, away_n_matches_14d from features.match_features inner join core.match "
                "using (match_id) where home_team = 'Fulham' and away_team = 'Arsenal'",
            )
        return row["away_rest_days"], row["away_n_matches_14d"]

    days = [START + timedelta(days=number) for number in range(1, 13)]
    land(world, tmp_path, season, days[0])
    assert calendar(days[0]) == (24, 0)
    land(world, tmp_path, [*season, between], days[1])
    assert calendar(days[1]) == (10, 1)
    # Moved under another key: the old one counts, too, until its day has passed.
    land(world, tmp_path, [*season, between | {"Date": "21/10/2022"}], days[2])
    assert calendar(days[2]) == (8, 2)
    assert calendar(days[10]) == (8, 1)
    restated(world, "postponed", "Burnley", "Arsenal", days[11])
    assert calendar(days[11]) == (24, 0)
    assert equals_a_full_build(world, days[11])


def test_a_match_awarded_with_a_score_is_in_the_table_and_nowhere_else(world: Settings, tmp_path: Path):
    def stand() -> tuple[list[tuple[Any, ...]], int]:
        with connect(world, "transform") as connection:
            table = rows(
                connection,
                "select distinct on (team_id) name, n_played, points, goals_for, goals_against "
                "from features.league_table inner join core.team using (team_id) "
                "where name in ('Arsenal', 'Burnley') order by team_id, valid_from desc",
            )
            n_form = scalar(connection, "select count(*) from features.team_match")
        return sorted(tuple(row.values()) for row in table), n_form

    (arsenal, burnley), n_form = stand()
    match = match_row(Date="10/10/2022", HomeTeam="Burnley", AwayTeam="Arsenal", FTHG="", FTAG="", FTR="")
    land(world, tmp_path, [*round_robin()[:8], match], START + timedelta(days=1))
    restated(world, "awarded", "Burnley", "Arsenal", START + timedelta(days=2))
    build(world, START + timedelta(days=2))
    # Nobody has said with what score.
    assert stand() == ([arsenal, burnley], n_form)
    restated(world, "awarded", "Burnley", "Arsenal", LATER, goals=(3, 0))
    assert not build(world, LATER)[0].is_full
    assert stand() == (
        [_after(arsenal, points=0, goals=(0, 3)), _after(burnley, points=3, goals=(3, 0))],
        n_form,
    )
    assert equals_a_full_build(world, LATER)
    # The decree is taken back.
    restated(world, "cancelled", "Burnley", "Arsenal", LAST)
    assert not build(world, LAST)[0].is_full
    assert stand() == ([arsenal, burnley], n_form)
    assert equals_a_full_build(world, LAST)


def test_a_play_off_is_a_match_with_features_and_in_no_table_form_or_rating(world: Settings, tmp_path: Path):
    """Listed with the league at first, by who cannot say so, then called what it is; of two leagues' teams."""
    learned = (
        "features.team_match",
        "features.team_form",
        "features.competition_form",
        "features.team_rating",
    )
    below = [
        match_row(Div="E1", Date="01/10/2022", HomeTeam="Luton", AwayTeam="Watford"),
        match_row(Div="E1", Date="08/10/2022", HomeTeam="Watford", AwayTeam="Luton"),
    ]
    write_season_file(tmp_path, below, competition="E1")
    unplayed = {"FTHG": "", "FTAG": "", "FTR": ""}
    play_off = match_row(Date="11/10/2022", HomeTeam="Arsenal", AwayTeam="Luton", **unplayed)
    land(world, tmp_path, [*round_robin()[:8], play_off], START + timedelta(days=1))
    build(world, START + timedelta(days=1))
    before = table_digests(world, ["features"])
    with connect(world, "transform") as connection:
        assert newest_table(connection)["Luton"] == 7
    restated(world, "scheduled", "Arsenal", "Luton", START + timedelta(days=2), stage="play_off")
    # A score, and a source of fixtures that does not know the stage.
    restated(world, "played", "Arsenal", "Luton", LATER, goals=(0, 5))
    assert not build(world, LATER)[0].is_full
    after = table_digests(world, ["features"])
    assert {name: after[name] for name in learned} == {name: before[name] for name in learned}
    with connect(world, "transform") as connection:
        assert set(newest_table(connection).values()) == {6}
        assert "Luton" not in newest_table(connection)
        assert rows(
            connection, "select n_teams, n_matches, n_played from core.season where competition = 'E0'"
        ) == [{"n_teams": 5, "n_matches": 15, "n_played": 8}]
        # Each side's season is that of its own league: 5 of 10 matches, and both of two.
        assert rows(
            connection,
            "select stage, match.is_played, home_n_played, away_n_played, season_progress from core.match "
            "inner join features.match_features using (match_id) where home_team = 'Arsenal' and away_team = 'Luton'",
        ) == [
            {
                "stage": "play_off",
                "is_played": True,
                "home_n_played": 5,
                "away_n_played": 2,
                "season_progress": 0.35,
            }
        ]
    assert equals_a_full_build(world, LATER)


def newest_table(connection: Connection) -> dict[str, int]:
    """The number of teams by team in the last table of E0."""
    found = rows(
        connection,
        "select name, n_teams from features.league_table inner join core.team using (team_id) "
        "where competition = 'E0' and valid_from = (select max(valid_from) from features.league_table "
        "where competition = 'E0')",
    )
    return {row["name"]: row["n_teams"] for row in found}


def _after(stood: tuple[Any, ...], points: int, goals: tuple[int, int]) -> tuple[Any, ...]:
    """The row of a team once a match more counts."""
    name, n_played, had, scored, conceded = stood
    return name, n_played + 1, had + points, scored + goals[0], conceded + goals[1]


def restated(
    settings: Settings, status: str, home_team: str, away_team: str, observed_at: datetime,
    goals: tuple[int, int] | None = None, stage: str | None = None,
) -> None:  # fmt: skip
    """The source gives the last announced match of a pairing another status or stage, and a score if there is one."""
    with connect(settings, "ingest") as connection:
        payload_id = scalar(
            connection,
            "insert into landing.payload (source, endpoint, observed_at, is_backfill, content_hash, n_bytes, body, "
            "run_id) values ('football_data_uk', 'status', %s, false, 'h', 1, 'b', 'test') returning payload_id",
            (observed_at,),
        )
        connection.execute(
            "insert into landing.fixture_observation (fixture_key, source, competition, season, home_team, away_team, "
            "kickoff_on, kickoff_at, is_kickoff_time_known, status, stage, payload_id, row_number, published_at, "
            "observed_at, known_at) select fixture_key, source, competition, season, home_team, away_team, kickoff_on, "
            "kickoff_at, is_kickoff_time_known, %s, %s, %s, 1, %s, %s, %s from landing.fixture_observation "
            "where home_team = %s and away_team = %s order by kickoff_on desc, payload_id desc limit 1",
            (status, stage, payload_id, *[observed_at] * 3, home_team, away_team),
        )
        if goals is not None:
            connection.execute(
                "insert into landing.score_observation (fixture_key, source, home_goals, away_goals, payload_id, "
                "row_number, published_at, observed_at, known_at) select fixture_key, source, %s, %s, payload_id, "
                "row_number, published_at, observed_at, known_at from landing.fixture_observation "
                "where payload_id = %s",
                (*goals, payload_id),
            )
        connection.execute(
            "insert into landing.payload_parsed values (%s, 1, 1, 0, 0, 1, 0, 0, 'test')", (payload_id,)
        )


def test_layers_say_as_of_when_they_stand(built: Settings):
    assert {layer: row["as_of"] for layer, row in stands(built).items()} == dict.fromkeys(
        ("core", "ratings", "features"), START
    )
