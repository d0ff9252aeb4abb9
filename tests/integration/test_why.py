"""Why a match was not predicted: every fixture of the horizon once, with the first reason that applies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from databases import copy_of
from predictions import insert_prediction, unchecked
from touchline import cli
from touchline.database.engine import Connection, connect, rows
from touchline.errors import MatchUnknown, PipelineDegraded
from touchline.ledger.why import fixture_by_id, fixture_by_names, why
from touchline.monitoring.shortfalls import find_shortfalls
from touchline.operations import names
from touchline.operations.pipeline import run_step
from touchline.operations.steps import STEPS
from touchline.operations.verdicts import NEVER_TRAINED
from touchline.settings import Settings
from unpredicted_world import NOW, build_unpredicted_world

pytestmark = pytest.mark.slow

REASONS = {
    ("Leeds", "Burnley"): "begun",
    ("Leeds", "Arsenal"): "rejected",
    ("Nowhere Town", "Somewhere Rovers"): "unknown_team",
    ("Arsenal", "Fulham"): "quarantined",
    ("Home E1", "Away E1"): "held",
    ("Burnley", "Chelsea"): "called_off",
    ("Chelsea", "Everton"): "no_features",
    ("Home E2", "Away E2"): "gate",
    ("Everton", "Arsenal"): "waiting",
}


@pytest.fixture(scope="module")
def world(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return build_unpredicted_world(module_settings, tmp_path_factory.mktemp("seasons"))


@pytest.fixture
def own_world(world: Settings) -> Iterator[Settings]:
    """The same for one test alone, which may change it."""
    with copy_of(world) as settings:
        yield settings


def unpredicted(connection: Connection) -> list[dict[str, Any]]:
    return rows(connection, "select * from analytics.unpredicted order by kickoff_at, home_team")


def reason_of(connection: Connection, match: tuple[str, str]) -> Mapping[str, Any]:
    (found,) = (
        row
        for row in unpredicted(connection)
        if (row["home_team"], row["away_team"]) == match and row["reason"] != "superseded"
    )
    return found


def test_every_fixture_without_a_prediction_has_the_first_reason_that_applies(world: Settings):
    with connect(world, "analyst") as connection:
        found = unpredicted(connection)
    told = [((row["home_team"], row["away_team"]), row["reason"]) for row in found]
    moved = (("Chelsea", "Everton"), "superseded")
    assert sorted(told) == sorted([*REASONS.items(), moved])
    assert all(row["detail"] and row["look_at"] and row["what_to_do"] for row in found)


def test_what_can_still_be_predicted_and_is_not_is_a_shortfall_and_so_is_every_hold(world: Settings):
    found = {(each.kind, each.subject): each for each in find_shortfalls(world, NOW)}
    beyond_help = {"begun", "called_off"}
    assert found.keys() == {
        *(("unpredicted", reason) for reason in REASONS.values() if reason not in beyond_help),
        ("held", "E1"), ("held", "E2"),
    }  # fmt: skip
    assert {each.n for each in found.values()} == {1}
    assert all(each.message and each.what_to_do for each in found.values())
    assert "touchline teams link" in found["unpredicted", "unknown_team"].what_to_do


def test_a_fixture_is_no_shortfall_before_it_is_in_the_horizon_of_the_last_look_nor_after_its_kick_off(
    world: Settings,
):
    near = world.model_copy(update={"horizon_days": 1})
    assert [each.kind for each in find_shortfalls(near, NOW)] == ["held", "held"]
    after = find_shortfalls(world, NOW + timedelta(days=8))
    assert {each.kind for each in after} == {"held", "stale"}


def test_a_run_of_predictions_fails_as_degraded_and_is_recorded_with_what_is_missing(own_world: Settings):
    given = own_world.model_copy(update={"as_of": NOW})
    first = run_step(given, STEPS[names.ALL_PREDICTED], "before the first training")
    assert (first.summary, first.is_repeat) == (NEVER_TRAINED, True)
    with connect(own_world, "ingest") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of, status) values ('r', 'train', %s, 'failed')",
            (NOW,),
        )
    with pytest.raises(PipelineDegraded, match="a quality gate holds E1") as degraded:
        run_step(given, STEPS[names.ALL_PREDICTED], "verdict")
    assert "1 fixture ahead without a prediction (no features)" in str(degraded.value)
    with connect(own_world, "ingest") as connection:
        (row,) = rows(connection, "select status, detail from ops.pipeline_run where run_id = 'verdict'")
    assert (row["status"], row["detail"]["error"]) == ("failed", str(degraded.value))


def test_a_row_that_cannot_be_read_is_silent_about_a_match_known_from_elsewhere(world: Settings):
    with connect(world, "analyst") as connection:
        refused = rows(
            connection,
            "select home_team, away_team from analytics.rejected_rows where rule = 'unknown_status'",
        )
        found = unpredicted(connection)
    assert {"home_team": "Fulham FC", "away_team": "Everton"} in refused
    assert not any("Fulham FC" in row.values() for row in found)


@pytest.mark.parametrize(
    ("status", "detail", "expected"),
    [
        ("failed", {"error": "the features know more than this run"}, "refused"),
        ("success", {"inputs": {"champion": None}}, "no_champion"),
        ("success", {"inputs": {"champion": "1"}, "refusals": {"MATCH": "kicked off"}}, "refused"),
        ("success", {"inputs": {"champion": "1"}, "without_forecast": ["MATCH"]}, "no_forecast"),
        ("success", {"inputs": {"champion": "1"}}, "waiting"),
    ],
)
def test_the_last_predict_step_tells_why_what_could_be_predicted_was_not(
    own_world: Settings, status: str, detail: dict[str, Any], expected: str
):
    match = ("Everton", "Arsenal")
    with connect(own_world, "analyst") as connection:
        match_id = str(reason_of(connection, match)["match_id"])
    with connect(own_world, "ingest") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of, status, finished_at, detail) "
            "values ('r', 'predict', %s, %s, clock_timestamp(), %s::jsonb)",
            (NOW, status, json.dumps(detail).replace("MATCH", match_id)),
        )
    with connect(own_world, "analyst") as connection:
        assert reason_of(connection, match)["reason"] == expected


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_each_fixture_of_the_horizon_is_predicted_or_unpredicted_and_never_both(
    world: Settings, data: st.DataObject
):
    with unchecked(world) as connection:
        fixtures = rows(
            connection,
            "select match_id::text as match_id, home_team, away_team, kickoff_at from core.match "
            "where status = 'scheduled' and kickoff_at > %s and kickoff_at <= %s order by match_id",
            (NOW, NOW + timedelta(days=world.horizon_days)),
        )
        for fixture in data.draw(st.lists(st.sampled_from(fixtures), unique_by=lambda row: row["match_id"])):
            at = NOW + timedelta(minutes=data.draw(st.sampled_from([-60, 0, 1])))
            role = data.draw(st.sampled_from(["champion", "challenger", "baseline"]))
            insert_prediction(
                connection, **fixture, role=role, predicted_at=at, features_as_of=at, run_id="drawn"
            )
        seen = rows(
            connection,
            "select match_id::text as match_id from analytics.upcoming_predictions union all "
            "select match_id::text from analytics.unpredicted where match_id in "
            "(select match_id from core.match where status = 'scheduled' and kickoff_at > %s)",
            (NOW,),
        )
        connection.rollback()
    assert sorted(row["match_id"] for row in seen) == [fixture["match_id"] for fixture in fixtures]


def test_a_match_is_found_by_names_as_any_source_writes_them_in_either_order(world: Settings):
    with connect(world, "api") as connection:
        for home, away in (("Everton", "Arsenal"), ("Arsenal FC", "Everton FC")):
            found = fixture_by_names(connection, home, away, date(2022, 11, 9))
            assert (found.home_team, found.away_team) == ("Everton", "Arsenal")
        assert found.match_id is not None
        assert fixture_by_id(connection, found.match_id) == found
        answer = why(connection, found, NOW, world.horizon_days)
    assert answer.reason == "waiting"
    assert "touchline predict" in answer.what_to_do


@pytest.mark.parametrize(("match", "reason"), [*REASONS.items()])
def test_every_fixture_of_the_view_is_explained_by_its_names(
    world: Settings, match: tuple[str, str], reason: str
):
    with connect(world, "api") as connection:
        day = reason_of(connection, match)["kickoff_at"].astimezone(UTC).date()
        found = fixture_by_names(connection, *match, day)
        assert why(connection, found, NOW, world.horizon_days).reason == reason


def test_a_predicted_match_answers_when_and_by_which_model(world: Settings):
    with connect(world, "api") as connection:
        found = fixture_by_names(connection, "Fulham", "Chelsea", date(2022, 11, 3))
        answer = why(connection, found, NOW, world.horizon_days)
        before = why(connection, found, NOW - timedelta(hours=1), world.horizon_days)
    assert answer.reason == "predicted"
    assert answer.detail == (
        "at 2022-11-02 12:00 UTC by touchline_match_result version 1 (with_odds): home 50 %, draw 30 %, away 20 %"
    )
    assert before.reason == "not_built", "it had not been predicted an hour before"


@pytest.mark.parametrize(
    ("match", "day", "reason"),
    [
        (("Burnley", "Fulham"), date(2022, 11, 20), "too_early"),
        (("Leeds", "Fulham"), date(2022, 10, 10), "past"),
        (("Fulham", "Leeds"), date(2022, 9, 20), "unreported"),
    ],
)
def test_a_match_outside_the_horizon_says_so(world: Settings, match: tuple[str, str], day: date, reason: str):
    with connect(world, "api") as connection:
        answer = why(connection, fixture_by_names(connection, *match, day), NOW, world.horizon_days)
    assert answer.reason == reason


def test_an_unknown_match_suggests_the_nearest(world: Settings):
    with connect(world, "api") as connection, pytest.raises(MatchUnknown) as refused:
        fixture_by_names(connection, "Everton", "Arsenal", date(2022, 11, 8))
    first = str(refused.value).splitlines()[1]
    assert "Everton v Arsenal (E0), 2022-11-09 11:00 UTC, id " in first
    with connect(world, "api") as connection, pytest.raises(MatchUnknown, match="no match has the id"):
        fixture_by_id(connection, UUID(int=7))
    with connect(world, "api") as connection, pytest.raises(MatchUnknown, match="nor is any match within"):
        fixture_by_names(connection, "Everton", "Arsenal", date(2032, 11, 8))


def test_an_ambiguous_name_lists_all_that_can_be_meant(world: Settings):
    with connect(world, "transform") as connection:
        moved = rows(connection, "select match_id from core.match where home_team = 'Home E1'")[0]["match_id"]
        for home, away, kickoff in (
            ("Man United", "Newcastle United", datetime(2022, 11, 5, 15, tzinfo=UTC)),
            ("Man City", "Newcastle City", datetime(2022, 11, 5, 17, tzinfo=UTC)),
        ):
            connection.execute(
                "insert into core.match select (jsonb_populate_record(match, jsonb_build_object("
                "'match_id', gen_random_uuid(), 'home_team', %s::text, 'away_team', %s::text, "
                "'kickoff_at', %s::timestamptz))).* from core.match as match where match_id = %s",
                (home, away, kickoff, moved),
            )
        with pytest.raises(MatchUnknown, match="can be 2 matches") as refused:
            fixture_by_names(connection, "Man", "Newcastle", date(2022, 11, 5))
        exact = fixture_by_names(connection, "man united", "newcastle united", date(2022, 11, 5))
        connection.rollback()
    assert "Man United v Newcastle United" in str(refused.value)
    assert "Man City v Newcastle City" in str(refused.value)
    assert exact.home_team == "Man United"


@pytest.fixture
def run(world: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on this world as of its present."""
    for name, value in {**world.environment(), "TOUCHLINE_AS_OF": NOW.isoformat()}.items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli.app, arguments)

    return invoke


def test_the_command_explains_in_words_and_in_json(run: Any):
    told = run("why", "Home E1", "Away E1", "2022-11-05")
    assert told.exit_code == 0, told.output
    assert "held: hold 1 since 2022-11-02 12:00 UTC: why E1" in told.output
    assert "touchline quality release" in told.output
    found = json.loads(run("--json", "why", "Home E1", "Away E1", "2022-11-05").stdout)
    assert found["reason"] == "held"
    by_id = json.loads(run("--json", "why", found["fixture"]["match_id"]).stdout)
    assert by_id == found


def test_what_is_not_known_ends_with_an_error_and_wrong_usage_with_another(run: Any):
    assert isinstance(run("why", "Everton", "Arsenal", "2022-11-08").exception, MatchUnknown)
    for wrong in (["Everton", "Arsenal"], ["no-id"], ["Everton", "Arsenal", "soon"]):
        assert run("why", *wrong).exit_code == 2, wrong


def test_the_doctor_tells_what_is_missing_with_an_exit_code_of_its_own(run: Any):
    told = run("--json", "doctor")
    checks = json.loads(told.stdout)["checks"]
    assert [check for check in checks if check["state"] == "failed"] == []
    assert told.exit_code == 4
    assert {check["subject"] for check in checks if check["state"] == "degraded"} == {"unpredicted", "held"}
    assert "Degraded: unpredicted, held." in run("doctor").output
