"""The season ahead in the ledger: forecast once for what is known, settled when the season ends, never changed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from psycopg import errors
from typer.testing import CliRunner

from builders import match_row, write_season_file
from databases import copy_of
from predictions import insert_prediction, registered, unchecked
from touchline import cli
from touchline.cli.season import season_table
from touchline.clock import virtual_clock
from touchline.database.engine import Connection, connect, rows, scalar
from touchline.database.queries import query
from touchline.errors import FeaturesUnavailable
from touchline.features.ahead import Around, features_ahead, read_competition_forms, read_teams
from touchline.features.catalogue import FEATURES
from touchline.forecasting.baselines import Market
from touchline.forecasting.forecaster import Forecaster
from touchline.forecasting.scoreline import grid_for
from touchline.landing.collect import collect
from touchline.ledger import digests
from touchline.ledger.season import SeasonsReport, write_seasons
from touchline.ledger.verify_ledger import verify_files
from touchline.registry.models import RegisteredForecaster
from touchline.settings import Settings
from touchline.warehouse.build import build_layer
from warehouse import build

pytestmark = pytest.mark.slow

# Of 2023/24, for the deductions: Everton lost ten points on 17 November, and six of them came back in February.
TEAMS = ("Everton", "Nott'm Forest", *(f"Club {letter}" for letter in "ABCDEFGHIJKLMNOPQR"))
NOVEMBER = datetime(2023, 11, 10, 12, tzinfo=UTC)
DECEMBER = datetime(2023, 12, 5, 12, tzinfo=UTC)
JUNE = datetime(2024, 6, 1, 12, tzinfo=UTC)


def played_season() -> list[dict[str, str]]:
    """Every pairing, ten a day from 12 August on, every third day; who comes later in `TEAMS` is the stronger."""
    chance = np.random.default_rng(1)
    pairs = list(permutations(range(len(TEAMS)), 2))
    chance.shuffle(pairs)
    rows_ = []
    for number, (home, away) in enumerate(pairs):
        day = date(2023, 8, 12) + timedelta(days=7 * (number // 10))
        goals = chance.poisson(np.exp([0.3 + (home - away) / 30, 0.1 + (away - home) / 30]))
        rows_.append(
            match_row(
                Date=f"{day:%d/%m/%Y}",
                HomeTeam=TEAMS[home],
                AwayTeam=TEAMS[away],
                FTHG=str(goals[0]),
                FTAG=str(goals[1]),
            )
        )
    return rows_


PLAYED = played_season()


def until(as_of: datetime) -> list[dict[str, str]]:
    """The rows of matches before a day: what the file holds then."""
    return [row for row in PLAYED if datetime.strptime(row["Date"], "%d/%m/%Y").replace(tzinfo=UTC) < as_of]


def landed(settings: Settings, folder: Path, given: list[dict[str, str]], as_of: datetime) -> Settings:
    write_season_file(folder, given, code="2324")
    sourced = settings.model_copy(update={"source": str(folder)})
    collect(sourced, virtual_clock(as_of), f"collect-{as_of.isoformat()}")
    build(sourced, as_of)
    return sourced


def forecast(settings: Settings, as_of: datetime, version: str = "1", run_id: str = "run") -> SeasonsReport:
    return write_seasons(settings, registered(version), virtual_clock(as_of), run_id)


def said(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "api") as connection:
        return rows(connection, "select * from ledger.season_forecast order by forecast_at, basis, team")


def settled(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "api") as connection:
        return rows(connection, "select * from ledger.season_outcome order by revision, place")


def numbers(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a run cannot know of another: all but ids and times of recording."""
    return [
        {name: value for name, value in row.items() if name not in ("forecast_id", "recorded_at", "run_id")}
        for row in found
    ]


@dataclass(frozen=True)
class World:
    settings: Settings
    folder: Path


@pytest.fixture(scope="module")
def autumn(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The season until November, built; no champion has said anything yet."""
    folder = tmp_path_factory.mktemp("files")
    return World(landed(module_settings, folder, until(NOVEMBER), NOVEMBER), folder)


@pytest.fixture
def unforecast(autumn: World) -> Iterator[World]:
    with copy_of(autumn.settings) as settings:
        yield World(settings, autumn.folder)


@pytest.fixture(scope="module")
def ended(autumn: World) -> Iterator[dict[str, Any]]:
    """Forecast in November and in December, then played to the end, settled, and corrected."""
    with copy_of(autumn.settings) as settings:
        reports = {
            "november": forecast(settings, NOVEMBER),
            "again": forecast(settings, NOVEMBER, run_id="again"),
        }
        landed(settings, autumn.folder, until(DECEMBER), DECEMBER)
        reports["december"] = forecast(settings, DECEMBER)
        landed(settings, autumn.folder, PLAYED, JUNE)
        reports["june"] = forecast(settings, JUNE)
        reports["june again"] = forecast(settings, JUNE, run_id="again")
        before = settled(settings)
        turned = (
            {"FTHG": "0", "FTAG": "9", "FTR": "A"}
            if PLAYED[0]["FTR"] == "H"
            else {"FTHG": "9", "FTAG": "0", "FTR": "H"}
        )
        corrected = [PLAYED[0] | turned, *PLAYED[1:]]
        landed(settings, autumn.folder, corrected, JUNE + timedelta(days=1))
        reports["corrected"] = forecast(settings, JUNE + timedelta(days=1))
        build_layer(settings, "analytics", JUNE + timedelta(days=1), "build")
        yield {"settings": settings, "before": before, **reports}
    write_season_file(autumn.folder, until(NOVEMBER), code="2324")


def test_a_season_is_written_once_and_again_when_results_are_new(ended: dict[str, Any]):
    assert [ended[name].n_forecast for name in ("november", "again", "december")] == [1, 0, 1]
    assert ended["again"].n_unchanged == 1
    found = said(ended["settings"])
    assert Counter(row["forecast_at"] for row in found) == {NOVEMBER: 20, DECEMBER: 20}


def test_probabilities_are_of_one_season(ended: dict[str, Any]):
    for as_of in (NOVEMBER, DECEMBER):
        found = [row for row in said(ended["settings"]) if row["forecast_at"] == as_of]
        assert sum(row["p_title"] for row in found) == pytest.approx(1)
        assert sum(row["p_champions_league"] for row in found) == pytest.approx(4)
        assert sum(row["p_relegation"] for row in found) == pytest.approx(3)
        assert all(sum(row["p_place"]) == pytest.approx(1) for row in found)
        assert all(row["points_low"] <= row["expected_points"] <= row["points_high"] for row in found)
        assert all(row["n_played"] + row["n_left"] == 38 for row in found)
        assert {row["p_promotion"] for row in found} == {None}


def test_a_deduction_counts_once_it_is_known(ended: dict[str, Any]):
    by_team = {(row["forecast_at"], row["team"]): row for row in said(ended["settings"])}
    won = {NOVEMBER: points_of("Everton", NOVEMBER), DECEMBER: points_of("Everton", DECEMBER)}
    assert by_team[NOVEMBER, "Everton"]["points"] == won[NOVEMBER]
    assert by_team[DECEMBER, "Everton"]["points"] == won[DECEMBER] - 10
    assert by_team[DECEMBER, "Club A"]["points"] == points_of("Club A", DECEMBER)


def points_of(team: str, as_of: datetime) -> int:
    points = 0
    for row in until(as_of):
        gap = int(row["FTHG"]) - int(row["FTAG"])
        for side, won in ((row["HomeTeam"], gap), (row["AwayTeam"], -gap)):
            points += (side == team) * (3 if won > 0 else 1 if won == 0 else 0)
    return points


def test_the_end_settles_every_team_once_and_a_correction_makes_a_revision(ended: dict[str, Any]):
    assert (ended["june"].n_settled, ended["june"].n_forecast) == (20, 0)
    assert ended["june again"].n_settled == 0
    assert [row["place"] for row in ended["before"]] == list(range(1, 21))
    assert ended["before"][0]["reached"] == ["title", "champions_league", "europe"]
    assert [row["reached"] for row in ended["before"][-3:]] == [["relegation"]] * 3
    assert ended["corrected"].n_settled > 0
    assert {row["revision"] for row in settled(ended["settings"])} == {1, 2}


def test_the_places_are_those_of_the_standings(ended: dict[str, Any]):
    with connect(ended["settings"], "api") as connection:
        standings = rows(connection, "select team, position, points from analytics.standings")
        view = rows(connection, "select * from analytics.season_forecasts")
    last = {row["team"]: row for row in settled(ended["settings"])}
    assert {name: (row["place"], row["points"]) for name, row in last.items()} == {
        row["team"]: (row["position"], row["points"]) for row in standings
    }
    assert len(view) == 40
    assert {row["final_place"] for row in view} == set(range(1, 21))
    for row in view:
        assert row["brier_title"] == pytest.approx((row["p_title"] - (row["final_place"] == 1)) ** 2)
        assert row["is_latest"] == (row["forecast_at"] == DECEMBER)


def test_the_ledger_s_proof_covers_seasons(ended: dict[str, Any], tmp_path: Path):
    settings = ended["settings"]
    export = digests.export_ledger(settings, tmp_path)
    assert export.n_rows == len(said(settings)) + len(settled(settings))
    wrong, n = verify_files(tmp_path / "ledger.jsonl", tmp_path / "digests.jsonl")
    assert (wrong, n["rows"], n["not_yet_in_a_digest"]) == ([], export.n_rows, 0)
    lines = (tmp_path / "ledger.jsonl").read_text()
    (tmp_path / "ledger.jsonl").write_text(lines.replace('"p_title":0', '"p_title":1', 1))
    wrong, _ = verify_files(tmp_path / "ledger.jsonl", tmp_path / "digests.jsonl")
    assert wrong


def test_every_column_of_a_season_is_in_the_text_that_is_chained(ended: dict[str, Any]):
    with connect(ended["settings"], "owner") as connection:
        for table in ("season_forecast", "season_outcome"):
            text = scalar(connection, f"select ledger.text_of(said) from ledger.{table} as said limit 1")
            assert json.loads(text).keys() == columns_of(connection, table) | {"kind"}


def columns_of(connection: Connection, table: str) -> set[str]:
    query = (
        "select column_name from information_schema.columns where table_schema = 'ledger' and table_name = %s"
    )
    return {row["column_name"] for row in rows(connection, query, (table,))}


def test_rows_are_never_changed(ended: dict[str, Any]):
    for table in ("season_forecast", "season_outcome"):
        for statement in (
            f"update ledger.{table} set run_id = 'x'",
            f"delete from ledger.{table}",
            f"truncate ledger.{table}",
        ):
            with (
                connect(ended["settings"], "owner") as connection,
                pytest.raises(errors.InsufficientPrivilege),
            ):
                connection.execute(statement)


def test_the_database_takes_no_forecast_of_a_season_that_has_ended(ended: dict[str, Any]):
    columns = (
        "competition, season, team_id, team, model_name, model_version, clock, n_simulations, strength_deviation, "
        "n_played, n_left, points, expected_points, points_low, points_high, p_place, is_simulated, run_id"
    )
    insert = (
        f"insert into ledger.season_forecast (forecast_id, forecast_at, basis, {columns}) "
        f"select gen_random_uuid(), %(at)s, 'b', {columns} from ledger.season_forecast limit 1"
    )
    with (
        connect(ended["settings"], "model") as connection,
        pytest.raises(errors.CheckViolation, match="has ended"),
    ):
        connection.execute(insert, {"at": JUNE})


def test_the_same_run_twice_gives_the_same_rows(unforecast: World):
    forecast(unforecast.settings, NOVEMBER)
    first = numbers(said(unforecast.settings))
    forecast(unforecast.settings, NOVEMBER, version="2")
    both = said(unforecast.settings)
    second = numbers([row for row in both if row["model_version"] == "2"])
    without = {"model_version", "basis"}
    assert [{k: v for k, v in row.items() if k not in without} for row in second] == [
        {k: v for k, v in row.items() if k not in without} for row in first
    ]


def test_a_match_that_is_predicted_is_played_by_its_prediction(unforecast: World):
    settings = unforecast.settings
    fixture = match_row(Date="12/11/2023", HomeTeam="Club A", AwayTeam="Club B", FTHG="", FTAG="", FTR="")
    is_new = not any((row["HomeTeam"], row["AwayTeam"]) == ("Club A", "Club B") for row in until(NOVEMBER))
    assert is_new, "the pairing is still to be played"
    as_of = NOVEMBER + timedelta(hours=1)
    landed(settings, unforecast.folder, [*until(NOVEMBER), fixture], as_of)
    write_season_file(unforecast.folder, until(NOVEMBER), code="2324")
    forecast(settings, as_of)
    before = {row["team"]: row for row in said(settings)}
    with unchecked(settings) as connection:
        (match,) = rows(connection, "select match_id, kickoff_at from core.match where not is_played")
        insert_prediction(
            connection, match_id=match["match_id"], kickoff_at=match["kickoff_at"], home_team="Club A",
            away_team="Club B", season="2023/24", predicted_at=as_of, features_as_of=as_of, p_home=0.0, p_draw=0.0,
            p_away=1.0,
            scoreline_grid=grid_for(np.array([[1e-9, 1e-9, 1 - 2e-9]]))[0].tolist(),
        )  # fmt: skip
    forecast(settings, as_of, version="2")
    after = {row["team"]: row for row in said(settings) if row["model_version"] == "2"}
    assert after["Club B"]["expected_points"] > before["Club B"]["expected_points"] + 0.8
    assert after["Club A"]["expected_points"] < before["Club A"]["expected_points"] - 0.8


def test_features_of_an_undated_fixture_are_those_of_a_dated_one_but_for_day_and_prices(unforecast: World):
    settings, as_of = unforecast.settings, NOVEMBER + timedelta(hours=1)
    fixture = match_row(Date="12/11/2023", HomeTeam="Club A", AwayTeam="Club B", FTHG="", FTAG="", FTR="")
    landed(settings, unforecast.folder, [*until(NOVEMBER), fixture], as_of)
    write_season_file(unforecast.folder, until(NOVEMBER), code="2324")
    with connect(settings, "model") as connection:
        (dated,) = rows(
            connection,
            f"select home_team_id::text as home, away_team_id::text as away, {', '.join(FEATURES)} "
            "from features.match_features inner join core.match using (match_id) where not core.match.is_played",
        )
        n = {
            dated[side]: scalar(
                connection,
                "select count(*) from core.match where is_played and %(team)s in (home_team_id, away_team_id)",
                {"team": dated[side]},
            )
            for side in ("home", "away")
        }  # fmt: skip
        teams = read_teams(connection, n, as_of)
        form = read_competition_forms(connection, as_of)["E0"]
    (row,) = features_ahead(
        [(teams[dated["home"]], teams[dated["away"]], Around(1, 20, form))], as_of
    ).to_dict("records")
    of_the_day = {name for name in FEATURES if name.endswith(("_rest_days", "_n_matches_14d"))}
    prices = {name for name in FEATURES if name.startswith("market_")}
    for name in set(FEATURES) - of_the_day - prices:
        expected = np.nan if dated[name] is None else dated[name]
        assert row[name] == pytest.approx(expected, nan_ok=True), name
    assert all(np.isnan(row[name]) for name in of_the_day | prices)


def test_a_season_of_which_not_all_teams_are_known_is_not_forecast(unforecast: World):
    few = [row for row in until(NOVEMBER) if "Club R" not in (row["HomeTeam"], row["AwayTeam"])]
    with copy_of(unforecast.settings) as settings:
        landed(settings, unforecast.folder, few, NOVEMBER + timedelta(hours=2))
        write_season_file(unforecast.folder, until(NOVEMBER), code="2324")
        with connect(settings, "transform") as connection:
            connection.execute("delete from core.match where 'Club R' in (home_team, away_team)")
        report = forecast(settings, NOVEMBER + timedelta(hours=2))
    assert report.n_forecast == 0
    assert report.not_forecast == {"E0 2023/24": "19 of 20 teams are known"}


def test_a_prediction_of_a_match_that_was_called_off_long_ago_is_not_used(unforecast: World):
    settings = unforecast.settings
    fixture = match_row(Date="12/11/2023", HomeTeam="Club A", AwayTeam="Club B", FTHG="", FTAG="", FTR="")
    as_of = NOVEMBER + timedelta(hours=1)
    landed(settings, unforecast.folder, [*until(NOVEMBER), fixture], as_of)
    write_season_file(unforecast.folder, until(NOVEMBER), code="2324")
    forecast(settings, as_of)
    before = {row["team"]: row["expected_points"] for row in said(settings)}
    long_ago = as_of - timedelta(days=settings.horizon_days + 1)
    with unchecked(settings) as connection:
        (match,) = rows(connection, "select match_id, kickoff_at from core.match where not is_played")
        insert_prediction(
            connection, match_id=match["match_id"], kickoff_at=match["kickoff_at"], season="2023/24",
            predicted_at=long_ago, features_as_of=long_ago, p_home=0.0, p_draw=0.0, p_away=1.0,
            scoreline_grid=grid_for(np.array([[1e-9, 1e-9, 1 - 2e-9]]))[0].tolist(),
        )  # fmt: skip
    forecast(settings, as_of, version="2")
    after = {row["team"]: row["expected_points"] for row in said(settings) if row["model_version"] == "2"}
    assert after == before


def test_without_a_forecast_of_unpriced_matches_no_season_is_forecast(unforecast: World):
    silent = RegisteredForecaster(
        "touchline_match_result", "1", Forecaster({"market": Market()}, {}, "market")
    )
    report = write_seasons(unforecast.settings, silent, virtual_clock(NOVEMBER), "run")
    assert report.n_forecast == 0
    assert "has no forecast of" in report.summary
    assert said(unforecast.settings) == []


def test_of_two_champions_in_a_night_the_last_one_is_shown(unforecast: World):
    for version in ("1", "2"):
        forecast(unforecast.settings, NOVEMBER, version=version)
    build_layer(unforecast.settings, "analytics", NOVEMBER, "build")
    with connect(unforecast.settings, "api") as connection:
        asked = {"as_of": NOVEMBER, "competition": "E0"}
        shown = rows(connection, query("ledger/sql/season_latest"), asked)
        view = rows(connection, "select model_version, is_latest from analytics.season_forecasts")
    assert [row["model_version"] for row in shown] == ["2"] * 20
    table = season_table(unforecast.settings, shown)
    titles = [column.header for column in table.columns]
    assert titles == ["team", "played", "points", "expected", "90 % within", "title", "CL", "Europe", "down"]
    assert table.row_count == 20
    assert str(table.title).startswith("E0 2023/24 as of 10 Nov 2023")
    assert Counter((row["model_version"], row["is_latest"]) for row in view) == {
        ("1", False): 20,
        ("2", True): 20,
    }


def test_a_warehouse_that_knows_more_is_refused(unforecast: World):
    with pytest.raises(FeaturesUnavailable, match="know more than this run"):
        forecast(unforecast.settings, NOVEMBER - timedelta(days=1))


def test_the_command_refuses_a_competition_that_nobody_knows():
    result = CliRunner().invoke(cli.app, ["season", "--competition", "E9"])
    assert result.exit_code == 2
    assert "E9" in result.output
