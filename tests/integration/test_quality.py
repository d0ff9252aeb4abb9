"""Quality gates: what is wrong stops the run and says where; what is odd is noted; everything is recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from builders import match_row
from predictions import prediction
from touchline.database.engine import connect, rows, scalar
from touchline.errors import QualityGateFailed
from touchline.identity.teams import ANCHOR
from touchline.ledger.prediction import gate_frame
from touchline.quality import gates
from touchline.quality.gates import check_core, check_features, check_landing, check_predictions
from touchline.settings import Settings
from warehouse import land

NOVEMBER = datetime(2022, 11, 1, tzinfo=UTC)
N_MATCHES = 40

WAREHOUSE = f"""
create table core.match as
select md5('match' || n)::uuid as match_id, 'E0' as competition, '2022/23' as season, 'Home ' || n as home_team,
    'Away ' || n as away_team, timestamptz '2022-09-01 15:00Z' + n * interval '1 day' as kickoff_at
from generate_series(1, {N_MATCHES}) as n;
create table core.match_result as
select match_id, (row_number() over ()) % 4 as home_goals, (row_number() over ()) % 3 as away_goals,
    case when row_number() over () % 9 < 4 then 'home' else 'away' end as outcome,
    kickoff_at + interval '15 hours' as known_at
from core.match;
create table core.match_odds as
select match_id, 'consensus' as bookmaker, '1x2' as market, 'prematch' as stage, 1.05::float8 as overround
from core.match;
create table features.match_features as
select match_id, competition, kickoff_at, kickoff_at - interval '1 minute' as features_as_of, 1500::float8 as home_elo,
    1450::float8 as away_elo, 0.2::float8 as home_pi, -0.1::float8 as away_pi, 1.4::float8 as home_points_5,
    1.2::float8 as away_points_5, 0.5::float8 as season_progress, 2.0::float8 as market_price_home,
    3.4::float8 as market_price_draw, 4.0::float8 as market_price_away
from core.match;
"""


@pytest.fixture
def warehouse(settings: Settings) -> Settings:
    """Core and features that every expectation is content with."""
    change(settings, WAREHOUSE)
    return settings


def change(settings: Settings, statement: str) -> None:
    with connect(settings, "transform") as connection:
        connection.execute(statement)


def stored(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "model") as connection:
        return rows(connection, "select * from ops.quality_result order by quality_result_id")


def put_payload(
    settings: Settings, n_rows: int = 1, n_rejected: int = 0, *, is_parsed: bool = True, source: str = ANCHOR
) -> int:
    """A payload as landing leaves it, without observations."""
    with connect(settings, "ingest") as connection:
        payload_id = scalar(
            connection,
            "insert into landing.payload (source, endpoint, observed_at, is_backfill, content_hash, n_bytes, body, "
            "run_id) values (%s, 'E0.csv', %s, true, 'h', 1, 'b', 'test') returning payload_id",
            (source, NOVEMBER),
        )
    if is_parsed:
        parse(settings, payload_id, n_rows, n_rejected)
    return int(payload_id)


def parse(settings: Settings, payload_id: int, n_rows: int = 1, n_rejected: int = 0) -> None:
    with connect(settings, "ingest") as connection:
        connection.execute(
            "insert into landing.payload_parsed values (%s, %s, %s, %s, 0, 0, 0, 0, 'test')",
            (payload_id, n_rows, n_rows - n_rejected, n_rejected),
        )


def put_score(settings: Settings, payload_id: int, home_goals: int) -> None:
    with connect(settings, "ingest") as connection:
        connection.execute(
            "insert into landing.score_observation (fixture_key, source, home_goals, away_goals, payload_id, "
            "row_number, published_at, observed_at, known_at) "
            "values (gen_random_uuid(), 'test', %s, 0, %s, 7, %s, %s, %s)",
            (home_goals, payload_id, NOVEMBER, NOVEMBER, NOVEMBER),
        )


def put_price(settings: Settings, payload_id: int, price: float) -> None:
    with connect(settings, "ingest") as connection:
        connection.execute("select landing.ensure_odds_partition(%s)", (NOVEMBER,))
        connection.execute(
            "insert into landing.odds_observation (fixture_key, source, bookmaker, market, is_closing, price_home, "
            "price_draw, price_away, payload_id, row_number, quoted_at, observed_at, known_at) "
            "values (gen_random_uuid(), 'test', 'B365', '1x2', false, %s, 3.5, 4, %s, 7, %s, %s, %s)",
            (price, payload_id, NOVEMBER, NOVEMBER, NOVEMBER),
        )


def test_what_the_collector_lands_passes_and_is_documented(settings: Settings, tmp_path: Path):
    sourced = land(
        settings, tmp_path, [match_row(Date=f"{day:02d}/10/2022") for day in range(1, 29)], NOVEMBER
    )
    report = check_landing(sourced, NOVEMBER, "run-1")
    assert report.n_warnings == 0
    assert all(finding.success for finding in report.findings)
    kept = stored(sourced)
    assert len(kept) == report.n_expectations + 1
    assert {(row["run_id"], row["gate"], row["success"], row["as_of"]) for row in kept} == {
        ("run-1", "landing", True, NOVEMBER)
    }
    page = Path(report.data_docs)
    assert "landing_quote" in page.read_text()


def test_a_failing_gate_says_expectation_column_value_rows_and_what_to_do(settings: Settings):
    payload_id = put_payload(settings)
    put_price(settings, payload_id, 0.9)
    for _ in range(7):
        put_score(settings, payload_id, 41)
    with pytest.raises(QualityGateFailed) as caught:
        check_landing(settings, NOVEMBER, "run-1")
    message = str(caught.value)
    assert "expect_column_values_to_be_between on landing_score.goals: 7 of 7 rows" in message
    assert '"max_value": 40.0' in message
    assert message.count(f"payload {payload_id} row 7, goals=41") == 5
    assert f"row_key=payload {payload_id} row 7 B365 1x2, lowest_price=0.9" in message
    assert "landing.payload" in message
    assert "run again" in message
    failed = [row for row in stored(settings) if not row["success"] and row["severity"] == "block"]
    assert {(row["suite"], row["column_name"], row["n_unexpected"]) for row in failed} == {
        ("landing_score", "goals", 7), ("landing_quote", "lowest_price", 1), ("gate", None, None),
    }  # fmt: skip
    samples = next(row["observed"]["samples"] for row in failed if row["suite"] == "landing_score")
    assert len(samples) == 5


def test_a_gate_that_failed_checks_the_same_payloads_again(settings: Settings):
    put_score(settings, put_payload(settings), 41)
    for run in ("run-1", "run-2"):
        with pytest.raises(QualityGateFailed, match=r"landing_score\.goals"):
            check_landing(settings, NOVEMBER, run)


def test_a_gate_that_passed_checks_only_what_is_new(settings: Settings):
    first = put_payload(settings)
    check_landing(settings, NOVEMBER, "run-1")
    put_score(settings, first, 41)
    check_landing(settings, NOVEMBER, "run-2")
    put_score(settings, put_payload(settings), 42)
    with pytest.raises(QualityGateFailed, match="1 of 1 rows"):
        check_landing(settings, NOVEMBER, "run-3")


def test_a_payload_parsed_late_is_not_overlooked(settings: Settings):
    late = put_payload(settings, is_parsed=False)
    put_payload(settings)
    check_landing(settings, NOVEMBER, "run-1")
    parse(settings, late)
    put_score(settings, late, 41)
    with pytest.raises(QualityGateFailed, match=f"payload {late} row 7"):
        check_landing(settings, NOVEMBER, "run-2")


def test_many_rejected_rows_stop_the_run_and_some_are_only_a_warning(settings: Settings):
    put_payload(settings, n_rows=20, n_rejected=2)
    report = check_landing(settings, NOVEMBER, "run-1")
    assert report.n_warnings == 1
    assert "warning: expect_column_values_to_be_between on landing_payload.rejected_share" in report.summary
    put_payload(settings, n_rows=20, n_rejected=11)
    with pytest.raises(QualityGateFailed, match=r"rejected_share=0\.55"):
        check_landing(settings, NOVEMBER, "run-2")


def test_one_of_several_sources_that_sends_nonsense_is_a_warning(settings: Settings):
    put_payload(settings)
    put_payload(settings, n_rows=20, n_rejected=20, source="the_odds_api")
    assert check_landing(settings, NOVEMBER, "run-1").n_warnings == 1


def test_rows_that_wait_for_a_team_are_no_bad_rows(settings: Settings):
    payload_id = put_payload(settings, n_rows=20, n_rejected=20)
    with connect(settings, "ingest") as connection:
        connection.execute(
            "insert into landing.rejected_row (payload_id, row_number, scope, rule, reason, observed_at, run_id) "
            "select %s, number, 'row', 'team_doubtful', 'in doubt', %s, 'test' from generate_series(1, 20) as number",
            (payload_id, NOVEMBER),
        )
    assert check_landing(settings, NOVEMBER, "run-1").n_warnings == 0


def test_a_sound_warehouse_passes(warehouse: Settings):
    core = check_core(warehouse, NOVEMBER, "run-1")
    features = check_features(warehouse, NOVEMBER, "run-2")
    assert (core.n_warnings, features.n_warnings) == (0, 0)
    assert {finding.suite for finding in features.findings} == {
        "core_match", "core_match_result", "core_consensus", "match_features",
    }  # fmt: skip


def match(number: int) -> str:
    return f"where match_id = md5('match' || {number})::uuid"


def failing(settings: Settings) -> set[tuple[str, str | None]]:
    """Suite and column of every expectation that blocked."""
    kept = [row for row in stored(settings) if row["severity"] == "block" and row["suite"] != "gate"]
    return {(row["suite"], row["column_name"]) for row in kept if not row["success"]}


def test_the_core_gate_names_every_fault(warehouse: Settings):
    change(
        warehouse,
        f"insert into core.match select * from core.match {match(1)};"
        f"update core.match set kickoff_at = null {match(2)};"
        f"update core.match_result set known_at = '2022-01-01' {match(3)};"
        f"update core.match_result set home_goals = null {match(4)};"
        f"update core.match_odds set overround = 0.5 {match(5)};",
    )
    with pytest.raises(QualityGateFailed) as caught:
        check_core(warehouse, NOVEMBER, "run")
    assert failing(warehouse) == {
        ("core_match", "match_id"), ("core_match", "kickoff_at"), ("core_match_result", "seconds_after_kickoff"),
        ("core_match_result", "goals"), ("core_consensus", "overround"),
    }  # fmt: skip
    for sample in ("Home 1 Away 1", "Home 2 Away 2", "Home 3 Away 3", "Home 4 Away 4", "overround=0.5"):
        assert sample in str(caught.value)


def test_an_empty_core_stops_the_run(warehouse: Settings):
    change(warehouse, "truncate core.match")
    with pytest.raises(
        QualityGateFailed, match="expect_table_row_count_to_be_between on core_match: observed 0"
    ):
        check_core(warehouse, NOVEMBER, "run")


def test_the_feature_gate_names_every_fault(warehouse: Settings):
    faults = {
        2: "features_as_of = kickoff_at + interval '1 minute'",
        3: "kickoff_at = '2022-12-01', features_as_of = '2022-11-02'",
        4: "home_elo = 9000, away_elo = -1",
        5: "home_pi = 11, away_pi = 'NaN'",
        6: "home_points_5 = 3.2, away_points_5 = -0.1",
        7: "season_progress = 1.01",
        8: "market_price_draw = 0.4",
    }
    change(
        warehouse,
        f"insert into features.match_features select * from features.match_features {match(1)};"
        + "".join(f"update features.match_features set {fault} {match(n)};" for n, fault in faults.items()),
    )
    with pytest.raises(QualityGateFailed) as caught:
        check_features(warehouse, NOVEMBER, "run")
    columns = {
        "match_id", "seconds_to_kickoff", "seconds_before_as_of", "home_elo", "away_elo", "home_pi", "away_pi",
        "home_points_5", "away_points_5", "season_progress", "lowest_price",
    }  # fmt: skip
    assert failing(warehouse) == {("match_features", column) for column in columns}
    assert all(f"on match_features.{column}:" in str(caught.value) for column in columns)


def test_features_that_do_not_say_what_they_know_stop_the_run(warehouse: Settings):
    change(warehouse, f"update features.match_features set features_as_of = null {match(1)}")
    with pytest.raises(
        QualityGateFailed, match=r"not_be_null on match_features\.seconds_to_kickoff: 1 of 40"
    ):
        check_features(warehouse, NOVEMBER, "run")


def test_unrated_teams_and_goal_feasts_are_only_noted(warehouse: Settings):
    change(
        warehouse,
        "update features.match_features set home_elo = null; update core.match_result set home_goals = 9",
    )
    report = check_features(warehouse, NOVEMBER, "run")
    warned = {finding.column for finding in report.findings if not finding.success}
    assert warned == {"home_elo", "goals"}
    assert report.n_warnings == 2
    assert [row["success"] for row in stored(warehouse) if row["suite"] == "gate"] == [True]


def test_a_table_that_is_missing_is_a_failure_not_a_pass(settings: Settings):
    with pytest.raises(QualityGateFailed, match=r"core\.match"):
        check_core(settings, NOVEMBER, "run")
    assert not any(row["success"] for row in stored(settings) if row["suite"] == "gate")


def forecasts(*changes: dict[str, Any]) -> pd.DataFrame:
    """The frame of a prediction that is in order, and of one with each of the changes."""
    made = []
    for number, change in enumerate([{}, *changes]):
        sound = {"match_id": f"00000000-0000-0000-0000-{number:012d}", "home_team": f"Home {number}",
                 "scoreline_grid": np.full((2, 2), 0.25)}  # fmt: skip
        made.append(prediction(**(sound | change)))
    return gate_frame(made)


def test_predictions_in_order_pass(settings: Settings):
    report = check_predictions(settings, forecasts({}), NOVEMBER, "run")
    assert report.n_warnings == 0
    assert all(row["gate"] == "predictions" for row in stored(settings))


def test_the_prediction_gate_names_every_fault(settings: Settings):
    made_at = prediction()["predicted_at"]
    faults: list[tuple[dict[str, Any], set[str]]] = [
        ({"p_home": 1.1, "p_draw": -0.1, "p_away": 0.0}, {"p_home", "p_draw"}),
        ({"p_away": float("nan")}, {"p_away"}),
        ({"p_home": 0.5 - 1e-6}, {"p_sum"}),
        ({"scoreline_grid": np.full((2, 2), 0.2)}, {"grid_sum"}),
        ({"expected_home_goals": None}, {"expected_home_goals"}),
        ({"expected_away_goals": float("nan")}, {"expected_away_goals"}),
        ({"kickoff_at": made_at}, {"seconds_to_kickoff"}),
        ({"kickoff_at": made_at - timedelta(hours=1)}, {"seconds_to_kickoff"}),
    ]
    with pytest.raises(QualityGateFailed) as caught:
        check_predictions(settings, forecasts(*(fault for fault, _ in faults)), NOVEMBER, "run")
    columns = set().union(*(found for _, found in faults))
    assert failing(settings) == {("predictions", column) for column in columns}
    # Each wrong row is shown, the one in order is not.
    shown = {number for number in range(len(faults) + 1) if f"Home {number} " in str(caught.value)}
    assert shown == set(range(1, len(faults) + 1))


def test_the_same_match_twice_stops_the_predictions(settings: Settings):
    twice = forecasts({"match_id": "00000000-0000-0000-0000-000000000000"})
    with pytest.raises(QualityGateFailed, match="expect_compound_columns_to_be_unique"):
        check_predictions(settings, twice, NOVEMBER, "run")


def test_a_bold_forecast_is_only_noted(settings: Settings):
    bold = forecasts({"p_home": 0.98, "p_draw": 0.01, "p_away": 0.01})
    report = check_predictions(settings, bold, NOVEMBER, "run")
    assert [finding.column for finding in report.findings if not finding.success] == ["p_home"]


def test_no_password_is_written_to_the_project_of_great_expectations(settings: Settings):
    check_landing(settings, NOVEMBER, "run")
    project = settings.home / "gx" / settings.warehouse_database
    files = [path for path in project.rglob("*") if path.is_file()]
    assert any(gates.URL_VARIABLE in path.read_text(errors="replace") for path in files)
    for path in files:
        text = path.read_text(errors="replace")
        assert not [role for role, secret in settings.secrets.items() if secret in text], path
