"""Builds go on from where each layer stands, whatever came between: they died, went back, or lost a fact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import match_row
from databases import copy_of
from table_digests import table_digests
from touchline.database.engine import connect, rows, scalar
from touchline.operations.due import build_inputs
from touchline.quality.gates import check_landing
from touchline.quality.holds import release
from touchline.settings import Settings
from touchline.warehouse.build import build_layer
from warehouse import TEAMS, build, land, round_robin

pytestmark = pytest.mark.slow

START = datetime(2022, 10, 9, 12, tzinfo=UTC)
LATER = START + timedelta(days=3)
LAST = START + timedelta(days=8)


@pytest.fixture(scope="module")
def built(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Eight days of three seasons, built in full."""
    folder = tmp_path_factory.mktemp("files")
    for competition in ("E0", "D1", "I1"):
        sourced = land(module_settings, folder, season_of(competition), START, competition)
    build(sourced, START)
    return sourced


@pytest.fixture
def world(built: Settings) -> Iterator[Settings]:
    """A copy of it for one test."""
    with copy_of(built) as copy:
        yield copy


def season_of(competition: str) -> list[dict[str, str]]:
    return [row | {"Div": competition} for row in round_robin()]


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


@pytest.mark.nightly  # By day: a quote, in the course of days below.
@pytest.mark.parametrize(("kind", "is_full"), [("score", False), ("fixture", True)])
def test_a_fact_set_aside_after_it_was_built_is_gone_from_everything(
    world: Settings, kind: str, is_full: bool
):
    aside = put_aside(world, kind)
    assert build(world, LATER)[0].is_full is is_full
    assert is_gone(world, kind, aside)
    assert equals_a_full_build(world, LATER)


def put_aside(settings: Settings, kind: str) -> str:
    """Name a fact of a kind as set aside; returns the id of its match."""
    columns = (
        "bookmaker, market, line, is_closing" if kind == "quote" else "null, null, null::real, null::boolean"
    )
    table = {"quote": "odds_observation"}.get(kind, f"{kind}_observation")
    # The closing price is what ratings read of a match.
    which = "where is_closing" if kind == "quote" else ""
    with connect(settings, "transform") as connection:
        return str(
            scalar(
                connection,
                "insert into landing.quarantined_fact (kind, fixture_key, payload_id, bookmaker, market, line, "
                f"is_closing, rule, reason, observed_at, run_id) select '{kind}', fixture_key, payload_id, {columns}, "
                f"'test', 'test', %s, 'test' from landing.{table} {which} order by fixture_key limit 1 "
                "returning fixture_key",
                (START,),
            )
        )


def is_gone(settings: Settings, kind: str, match_id: str) -> bool:
    left = {
        "score": "core.match_result",
        "fixture": "core.match",
        "quote": "(select match_id from core.match_odds inner join landing.quarantined_fact as aside "
        "using (bookmaker, market) where fixture_key = match_id and is_closing = (stage = 'closing')) as quote",
    }
    with connect(settings, "transform") as connection:
        return scalar(connection, f"select count(*) from {left[kind]} where match_id = %s", (match_id,)) == 0


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
    built_in_full = digests(world)
    with connect(world, "transform") as connection:
        connection.execute("drop table features.team_form")
    build_layer(world, "features", START, "test")
    assert digests(world) == built_in_full


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


@dataclass(frozen=True)
class Stand:
    """What a build has left: whether it was in full, the day and status of every pairing, and the newest tables.

    `tables` maps competition and team to matches played, points, goals for and against; `sizes` holds each competition
    with the number of teams that its table says; `learned` are digests of what forms and ratings have learned.
    """

    is_full: bool
    matches: dict[tuple[str, str, str], tuple[str, str]]
    tables: dict[tuple[str, str], tuple[int, int, int, int]]
    sizes: set[tuple[str, int]]
    learned: dict[str, str]


@dataclass(frozen=True)
class Course:
    """Days on which sources say more of matches, the last of them in `settings`.

    `equal` says of the last two whether what was built from changes is what a build in full makes. `is_quote_gone` is
    of a quote that was set aside after it was built.
    """

    settings: Settings
    stands: list[Stand]
    equal: list[bool]
    is_quote_gone: bool


@pytest.fixture(scope="module")
def course(built: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """A match of I1 gets another day and one is taken back; of D1 one is awarded; E0 lists one that is a play-off."""
    folder = tmp_path_factory.mktemp("told_later")
    unplayed = {"FTHG": "", "FTAG": "", "FTR": ""}
    first, _, *others = season_of("I1")[:8]
    awarded = match_row(Div="D1", Date="10/10/2022", HomeTeam="Burnley", AwayTeam="Arsenal", **unplayed)
    below = [
        match_row(Div="E1", Date="01/10/2022", HomeTeam="Luton", AwayTeam="Watford"),
        match_row(Div="E1", Date="08/10/2022", HomeTeam="Watford", AwayTeam="Luton"),
    ]
    # Listed with the league by who cannot say so, of two leagues' teams.
    play_off = match_row(Date="11/10/2022", HomeTeam="Arsenal", AwayTeam="Luton", **unplayed)
    second, third = START + timedelta(days=1), START + timedelta(days=2)
    with copy_of(built) as world:
        stands, equal = [stand_of(world, is_full=True)], []

        def build_from_changes(as_of: datetime) -> None:
            core, _ = build(world, as_of)
            stands.append(stand_of(world, is_full=core.is_full))

        # Arsenal - Chelsea of 1 October was on 30 September, and Arsenal - Leeds was not played.
        land(world, folder, [first | {"Date": "30/09/2022"}, *others], second, "I1")
        land(world, folder, [*season_of("D1")[:8], awarded], second, "D1")
        land(world, folder, below, second, "E1")
        land(world, folder, [*season_of("E0")[:8], play_off], second)
        aside = put_aside(world, "quote")
        assert not is_gone(world, "quote", aside)
        build_from_changes(second)
        # Nobody has said with what score.
        restated(world, "awarded", "Burnley", "Arsenal", third)
        restated(world, "scheduled", "Arsenal", "Luton", third, stage="play_off")
        build_from_changes(third)
        restated(world, "awarded", "Burnley", "Arsenal", LATER, goals=(3, 0))
        # A score, and a source of fixtures that does not know the stage.
        restated(world, "played", "Arsenal", "Luton", LATER, goals=(0, 5))
        build_from_changes(LATER)
        equal.append(equals_a_full_build(world, LATER))
        # The decree is taken back.
        restated(world, "cancelled", "Burnley", "Arsenal", LAST)
        build_from_changes(LAST)
        equal.append(equals_a_full_build(world, LAST))
        yield Course(world, stands, equal, is_gone(world, "quote", aside))


def stand_of(settings: Settings, *, is_full: bool) -> Stand:
    with connect(settings, "transform") as connection:
        matches = rows(
            connection,
            "select competition, home_team, away_team, kickoff_on::text as day, status from core.match",
        )
        tables = rows(
            connection,
            "select competition, name, n_teams, n_played, points, goals_for, goals_against "
            "from features.league_table "
            "inner join core.team using (team_id) where (competition, valid_from) in "
            "(select competition, max(valid_from) from features.league_table group by competition)",
        )
    learned = table_digests(settings, ["features"])
    return Stand(
        is_full,
        {
            (row["competition"], row["home_team"], row["away_team"]): (row["day"], row["status"])
            for row in matches
        },
        {
            (row["competition"], row["name"]): (
                row["n_played"], row["points"], row["goals_for"], row["goals_against"]
            )
            for row in tables
        },
        {(row["competition"], row["n_teams"]) for row in tables},
        {name: learned[f"features.{name}"] for name in LEARNED},
    )  # fmt: skip


LEARNED = ("team_match", "team_form", "competition_form", "team_rating")


def of_competition(stand: Stand, wanted: str) -> dict[str, tuple[int, int, int, int]]:
    return {team: row for (competition, team), row in stand.tables.items() if competition == wanted}


def test_what_is_told_later_of_matches_is_built_from_changes_as_it_is_in_full(course: Course):
    assert [stand.is_full for stand in course.stands] == [True, False, False, False, False]
    assert course.equal == [True, True]


def test_a_quote_set_aside_after_it_was_built_is_gone(course: Course):
    assert course.is_quote_gone


def test_a_match_whose_day_is_corrected_or_that_is_taken_back_counts_as_its_newest_file_says(course: Course):
    before, after, *_ = course.stands
    assert after.matches["I1", "Arsenal", "Chelsea"] == ("2022-09-30", "played")
    assert after.matches["I1", "Arsenal", "Leeds"] == ("2022-10-02", "superseded")
    n_before, n_played = (
        {team: row[0] for team, row in of_competition(stand, "I1").items()} for stand in (before, after)
    )
    assert n_played == n_before | {"Arsenal": n_before["Arsenal"] - 1, "Leeds": n_before["Leeds"] - 1}


def test_a_match_awarded_with_a_score_is_in_the_table_and_nowhere_else(course: Course):
    _, listed, without_score, awarded, taken_back = (of_competition(stand, "D1") for stand in course.stands)
    assert without_score == listed == taken_back
    assert awarded == listed | {
        "Arsenal": _after(listed["Arsenal"], points=0, goals=(0, 3)),
        "Burnley": _after(listed["Burnley"], points=3, goals=(3, 0)),
    }
    assert all(stand.learned == course.stands[1].learned for stand in course.stands[2:])


def test_a_play_off_is_a_match_with_features_and_in_no_table_form_or_rating(course: Course):
    _, listed, called_so, played, _ = course.stands
    assert "Luton" in of_competition(listed, "E0")
    assert played.learned == called_so.learned == listed.learned
    assert set(of_competition(played, "E0")) == set(TEAMS)
    sizes = [{n for competition, n in stand.sizes if competition == "E0"} for stand in (listed, played)]
    assert sizes == [{7}, {6}]
    with connect(course.settings, "transform") as connection:
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


def _after(
    stood: tuple[int, int, int, int], points: int, goals: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The row of a team once a match more counts."""
    n_played, had, scored, conceded = stood
    return n_played + 1, had + points, scored + goals[0], conceded + goals[1]


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
