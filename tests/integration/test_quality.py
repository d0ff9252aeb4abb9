"""Quality gates: what cannot be right is left out, what is broken holds its competition, what is odd is noted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from psycopg import sql

from builders import match_row, season_csv
from planted_world import land as land_answers
from planted_world import left_out
from predictions import prediction
from touchline.database.engine import connect, rows, scalar
from touchline.errors import DatabaseUnavailable, HoldUnknown, QualityGateFailed
from touchline.identity.teams import ANCHOR
from touchline.landing.copying import copy_frame
from touchline.ledger.prediction import gate_frame
from touchline.quality import data_docs, validation
from touchline.quality.findings import GateReport
from touchline.quality.gates import check_core, check_features, check_landing, check_predictions
from touchline.quality.history import count_rules
from touchline.quality.holds import active_holds, held_competitions, release
from touchline.quality.suite import Suite, block
from touchline.settings import Settings
from touchline.sources.football_data_uk.parse import parse as parse_file
from warehouse import land, round_robin

pytestmark = pytest.mark.slow

NOVEMBER = datetime(2022, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
N_MATCHES = 40
E0_FILE = "mmz4281/2223/E0.csv"

# Odd matches are of E0, even ones of E1.
WAREHOUSE = f"""
create table core.match as
select md5('match' || n)::uuid as match_id, case n % 2 when 1 then 'E0' else 'E1' end as competition,
    '2022/23' as season, 'Home ' || n as home_team, 'Away ' || n as away_team, md5('home' || n)::uuid as home_team_id,
    md5('away' || n)::uuid as away_team_id, 'played' as status, true as is_played, 1 as payload_id,
    timestamptz '2022-09-01 15:00Z' + n * interval '1 day' as kickoff_at, date '2022-09-01' + n as kickoff_on
from generate_series(1, {N_MATCHES}) as n;
create table core.team as select home_team_id as team_id from core.match union select away_team_id from core.match;
create table core.match_result as
select match_id, (row_number() over ()) % 4 as home_goals, (row_number() over ()) % 3 as away_goals,
    case when row_number() over () % 9 < 4 then 'home' else 'away' end as outcome, 1 as payload_id,
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


def test_a_gate_that_loses_its_database_judges_nothing(warehouse: Settings):
    def expectations() -> list[Any]:
        import great_expectations.expectations as gxe

        return [block(gxe.ExpectColumnValuesToNotBeNull, "", column="row_key")]

    cut = (
        "select 'all' as row_key, null as competition, pg_terminate_backend(pid) as is_cut from pg_stat_activity "
        "where usename = current_user and datname = current_database() and pid <> pg_backend_pid()"
    )
    with pytest.raises(DatabaseUnavailable, match="was lost"):
        validation.validate(warehouse, "core", [Suite("cut", cut, expectations)], None, "transform")


def stored(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "model") as connection:
        return rows(connection, "select * from ops.quality_result order by quality_result_id")


def holds(settings: Settings, as_of: datetime = NOVEMBER) -> set[tuple[str, str]]:
    """Competition and column of the holds in force."""
    with connect(settings, "model") as connection:
        return {(hold.competition, hold.column_name) for hold in active_holds(connection, as_of)}


def put_payload(
    settings: Settings, n_rows: int = 1, n_rejected: int = 0, *, is_parsed: bool = True, source: str = ANCHOR,
    endpoint: str = E0_FILE,
) -> int:  # fmt: skip
    """A payload as landing leaves it, without observations."""
    with connect(settings, "ingest") as connection:
        payload_id = scalar(
            connection,
            "insert into landing.payload (source, endpoint, observed_at, is_backfill, content_hash, n_bytes, body, "
            "run_id) values (%s, %s, %s, true, 'h', 1, 'b', 'test') returning payload_id",
            (source, endpoint, NOVEMBER),
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


def put_file(settings: Settings, as_of: datetime, *changes: dict[str, str]) -> None:
    """The season file of E0 with the first rows changed."""
    found = round_robin()
    for row, values in zip(found, changes, strict=False):
        del row["FTR"]
        row.update(match_row(**{**row, **values}))
    land_answers(settings, {E0_FILE: season_csv(found)}, as_of)


@pytest.fixture(scope="module")
def documented(
    module_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, GateReport]:
    """What the collector lands, through a gate whose results are shown in Data Docs."""
    with_docs = module_settings.model_copy(update={"data_docs": True})
    sourced = land(with_docs, tmp_path_factory.mktemp("seasons"), round_robin(), NOVEMBER)
    report = check_landing(sourced, NOVEMBER, "run-1")
    assert report.data_docs is None
    assert not data_docs.index_page(sourced).exists()
    data_docs.write_pages(sourced)
    return sourced, report


def test_what_the_collector_lands_passes_and_is_documented_by_the_newest_results(
    documented: tuple[Settings, GateReport], monkeypatch: pytest.MonkeyPatch
):
    sourced, report = documented
    assert [str(finding) for finding in report.findings if not finding.success] == []
    kept = stored(sourced)
    assert len(kept) == report.n_expectations + 1
    assert {(row["run_id"], row["gate"], row["success"], row["as_of"]) for row in kept} == {
        ("run-1", "landing", True, NOVEMBER)
    }
    page = data_docs.index_page(sourced)
    assert "landing_rules" in page.read_text()
    first = set(page.parent.glob("validations/landing_rules/**/*.html"))
    monkeypatch.setattr(data_docs, "KEPT_RESULTS", 1)
    check_landing(sourced, NOVEMBER, "run-2")
    assert data_docs.write_pages(sourced).n_results == 2
    (second,) = page.parent.glob("validations/landing_rules/**/*.html")
    assert second not in first
    assert (
        len(list(data_docs.folder_of(sourced).glob("gx/uncommitted/validations/landing_rules/**/*.json")))
        == 1
    )


def test_a_gate_that_holds_a_competition_writes_its_pages_before_it_says_so(settings: Settings):
    documented = settings.model_copy(update={"data_docs": True})
    check_predictions(documented, forecasts(), NOVEMBER, "run-1")
    report = check_predictions(documented, forecasts({"p_home": 1.1}), NOVEMBER, "run-2")
    assert report.data_docs is not None
    page = Path(report.data_docs)
    # That of the gate that passed before is linked, too.
    assert len(list(page.parent.glob("validations/predictions/**/*.html"))) == 2


def test_a_fact_that_cannot_be_right_is_left_out_and_told_with_row_rule_and_advice(settings: Settings):
    put_file(settings, NOVEMBER, {"FTHG": "21"})
    report = check_landing(settings, NOVEMBER, "run-1")
    assert (report.n_quarantined, report.held) == (1, ())
    assert "landing_rules.score_impossible" in report.summary
    assert "Arsenal - Chelsea 21-0" in report.summary
    assert "until the source corrects it" in report.summary
    with connect(settings, "transform") as connection:
        (fact,) = rows(connection, "select * from landing.quarantined_fact")
    assert (fact["kind"], fact["rule"], fact["reason"]) == (
        "score",
        "score_impossible",
        "Arsenal - Chelsea 21-0",
    )
    failed = [row for row in stored(settings) if not row["success"]]
    assert [(row["suite"], row["column_name"], row["severity"]) for row in failed] == [
        ("landing_rules", "score_impossible", "quarantine")
    ]
    assert failed[0]["observed"]["competitions"] == ["E0"]


def test_a_quarantined_fact_is_no_measure_for_the_one_that_corrects_it(settings: Settings):
    put_file(settings, NOVEMBER, {"FTHG": "21"})
    check_landing(settings, NOVEMBER, "run-1")
    put_file(settings, NOVEMBER + HOUR, {"FTHG": "0", "FTAG": "1"})
    report = check_landing(settings, NOVEMBER + HOUR, "run-2")
    assert [str(finding) for finding in report.findings if not finding.success] == []


def test_a_gate_that_passed_checks_only_what_is_new(settings: Settings):
    put_file(settings, NOVEMBER, {"FTHG": "21"})
    assert check_landing(settings, NOVEMBER, "run-1").n_quarantined == 1
    assert check_landing(settings, NOVEMBER, "run-2").n_quarantined == 0
    put_file(settings, NOVEMBER + HOUR, {"FTHG": "22"})
    assert check_landing(settings, NOVEMBER + HOUR, "run-3").n_quarantined == 1


def test_what_landed_after_the_instant_of_a_gate_is_looked_at_by_the_next(settings: Settings):
    put_file(settings, NOVEMBER + HOUR, {"FTHG": "21"})
    assert left_out(settings, NOVEMBER) == 0
    assert left_out(settings, NOVEMBER + HOUR) == 1


def test_a_payload_that_nobody_parses_keeps_nothing_from_being_done(settings: Settings):
    put_payload(settings, is_parsed=False, source="retired", endpoint="odds")
    put_file(settings, NOVEMBER, {"FTHG": "21"})
    assert left_out(settings, NOVEMBER) == 1
    assert left_out(settings, NOVEMBER) == 0


def test_facts_of_a_replay_are_looked_at_though_their_payload_was_before(settings: Settings):
    old = put_payload(settings, source="other", endpoint="scores")
    put_file(settings, NOVEMBER)
    assert left_out(settings, NOVEMBER) == 0
    later = NOVEMBER + HOUR
    given = {"payload_id": old, "observed_at": NOVEMBER, "later": later}
    with connect(settings, "ingest") as connection:
        connection.execute(
            "insert into landing.score_observation (fixture_key, source, home_goals, away_goals, payload_id, "
            "row_number, published_at, observed_at, known_at) select fixture_key, 'other', 21, 0, %(payload_id)s, 1, "
            "%(observed_at)s, %(observed_at)s, %(later)s from landing.fixture_observation limit 1",
            given,
        )
        connection.execute(
            "insert into landing.payload_replayed (payload_id, observed_at, n_rows, n_settled, n_fixtures, n_scores, "
            "n_quotes, run_id) values (%(payload_id)s, %(later)s, 1, 1, 0, 1, 0, 'replay')",
            given,
        )
    assert left_out(settings, NOVEMBER) == 0, "not known yet"
    assert left_out(settings, later) == 1
    assert left_out(settings, later) == 0


WRONG = [{"FTHG": "21"}] * 6


def test_a_competition_whose_matches_were_wrong_is_held_until_they_are_corrected(settings: Settings):
    put_file(settings, NOVEMBER, *WRONG)
    report = check_landing(settings, NOVEMBER, "run-1")
    assert (report.n_quarantined, report.held) == (6, ("E0",))
    again = check_landing(settings, NOVEMBER + HOUR, "run-2")
    assert (again.n_quarantined, again.held) == (0, ("E0",)), (
        "held, and what was screened is not screened again"
    )
    put_file(settings, NOVEMBER + 2 * HOUR, *[{"FTHG": "1"}] * 6)
    assert check_landing(settings, NOVEMBER + 2 * HOUR, "run-3").held == ()


def test_wrong_matches_that_were_accepted_hold_nothing_and_others_do(settings: Settings):
    put_file(settings, NOVEMBER, *WRONG)
    check_landing(settings, NOVEMBER, "run-1")
    release(settings, "E0", "a cup with other rules", NOVEMBER, "release")
    put_file(settings, NOVEMBER + HOUR, *[{"FTHG": "22"}] * 6)
    assert check_landing(settings, NOVEMBER + HOUR, "run-2").held == ()
    put_file(settings, NOVEMBER + 2 * HOUR, *[{"FTHG": "23"}] * 7)
    assert check_landing(settings, NOVEMBER + 2 * HOUR, "run-3").held == ("E0",)


@pytest.mark.nightly  # By day: test_wrong_matches_that_were_accepted_hold_nothing_and_others_do.
def test_accepted_matches_without_result_hold_nothing_though_their_number_changes(settings: Settings):
    october = datetime(2022, 10, 20, 12, tzinfo=UTC)
    missing = {"FTHG": "", "FTAG": "", "FTR": ""}
    put_file(settings, october, *[{}] * 10, *[missing] * 5)
    assert check_landing(settings, october, "run-1").held == ("E0",)
    assert holds(settings, october) == {("E0", "results_overdue")}
    release(settings, "E0", "abandoned for good", october, "release")
    put_file(settings, october + HOUR, *[{}] * 11, *[missing] * 4)
    assert check_landing(settings, october + HOUR, "run-2").held == ()


def test_a_gate_that_is_tried_again_in_the_same_run_says_what_it_finds_then(settings: Settings):
    put_file(settings, NOVEMBER, *WRONG)
    assert check_landing(settings, NOVEMBER, "run").held == ("E0",)
    put_file(settings, NOVEMBER + HOUR, *[{"FTHG": "22"}], *[{"FTHG": "1"}] * 5)
    report = check_landing(settings, NOVEMBER + HOUR, "run")
    assert (report.n_quarantined, report.held) == (1, ())
    (counted,) = [each for each in count_rules(settings, "run") if each.rule == "score_impossible"]
    assert counted.n_in_run == 1


@pytest.mark.nightly  # By day: test_a_quarantined_fact_is_no_measure_for_the_one_that_corrects_it.
def test_the_correction_of_a_body_in_a_wrong_time_zone_is_not_left_out(settings: Settings):
    put_file(settings, NOVEMBER)
    left_out(settings, NOVEMBER)
    put_file(settings, NOVEMBER + HOUR, *[{"Time": "20:00"}] * 5)
    assert left_out(settings, NOVEMBER + HOUR) == 5
    put_file(settings, NOVEMBER + 2 * HOUR)
    assert left_out(settings, NOVEMBER + 2 * HOUR) == 0


def test_a_file_of_nonsense_holds_its_competition_until_a_better_one_comes(settings: Settings):
    put_payload(settings, n_rows=20, n_rejected=11)
    put_payload(settings, n_rows=20, endpoint="mmz4281/2223/E1.csv")
    for run in ("run-1", "run-2"):
        report = check_landing(settings, NOVEMBER, run)
        assert report.held == ("E0",)
        assert holds(settings) == {("E0", "anchor_rejected_share")}
    assert "rejected_share=0.55" in report.summary
    assert "what to do: see `touchline rejects count`" in report.summary
    put_payload(settings, n_rows=20)
    assert check_landing(settings, NOVEMBER, "run-3").held == ()
    assert holds(settings) == set()
    with connect(settings, "model") as connection:
        assert scalar(connection, "select count(*) from ops.competition_hold") == 1


@pytest.mark.nightly  # By day: test_facts_of_a_replay_are_looked_at_though_their_payload_was_before.
def test_a_payload_parsed_late_is_not_overlooked(settings: Settings):
    late = put_payload(settings, is_parsed=False)
    put_payload(settings, endpoint="mmz4281/2223/E1.csv")
    check_landing(settings, NOVEMBER, "run-1")
    parse(settings, late, 20, 11)
    assert check_landing(settings, NOVEMBER, "run-2").held == ("E0",)


def test_some_rejected_rows_are_only_a_warning(settings: Settings):
    put_payload(settings, n_rows=20, n_rejected=2)
    report = check_landing(settings, NOVEMBER, "run-1")
    assert (report.n_warnings, report.held) == (1, ())
    assert "warning: expect_column_values_to_be_between on landing_payload.rejected_share" in report.summary


@pytest.mark.nightly  # By day: test_only_what_changed_is_looked_at_again_unless_everything_is_wanted.
def test_prices_that_were_set_aside_before_are_not_held_against_the_new_ones(settings: Settings):
    broken = {f"{code}{letter}": "evens" for code in ("BW", "IW", "WH", "VC", "LB") for letter in "HDA"}
    put_file(settings, NOVEMBER, *[broken] * 15)
    assert failing_columns(check_landing(settings, NOVEMBER, "run-1")) == {"rejected_price_share"}
    put_file(settings, NOVEMBER + HOUR, *[broken | {"B365H": "1.99"}] * 15)
    assert failing_columns(check_landing(settings, NOVEMBER + HOUR, "run-2")) == set()
    later = dict.fromkeys(broken, "6/4")
    put_file(settings, NOVEMBER + 2 * HOUR, *[later] * 15)
    assert failing_columns(check_landing(settings, NOVEMBER + 2 * HOUR, "run-3")) == {"rejected_price_share"}


def failing_columns(report: GateReport) -> set[str | None]:
    return {
        finding.column for finding in report.findings if not finding.success and finding.severity == "warn"
    }


def put_list(settings: Settings, as_of: datetime, days: int, competitions: str, n: int = 5) -> int:
    """A list of the matches so many days ahead, `n` of each competition; returns how often its rule spoke."""
    ahead = {"FTHG": "", "FTAG": "", "FTR": "", "AvgCH": "", "AvgCD": "", "AvgCA": ""}
    found = [
        match_row(
            Div=competition, Date=(as_of + timedelta(days=days)).strftime("%d/%m/%Y"),
            HomeTeam=f"{competition} {number}", AwayTeam=f"{competition} {number + 10}", **ahead,
        )
        for competition in competitions.split()
        for number in range(n)
    ]  # fmt: skip
    land_answers(settings, {"fixtures.csv": season_csv(found)}, as_of)
    run_id = f"run-{as_of.isoformat()}"
    left_out(settings, as_of, run_id)
    (counted,) = [each for each in count_rules(settings, run_id) if each.rule == "body_volume_unusual"]
    return counted.n_in_run


def test_a_list_that_lost_matches_still_to_come_is_told(settings: Settings):
    everything = "E0 E1 E2 E3 SC0 D1 SP1 I1"
    thursdays = [NOVEMBER + timedelta(days=2 + 7 * week) for week in range(7)]
    # Weeks as usual, a break that a few competitions play in, all of them again, and the end of the season.
    lists = [everything] * 4 + ["E2 E3", everything, "SC0"]
    assert [put_list(settings, day, 2, listed) for day, listed in zip(thursdays, lists, strict=True)] == [
        0
    ] * 7
    friday = thursdays[-1] + timedelta(days=8)
    assert put_list(settings, friday - timedelta(days=1), 3, everything) == 0
    assert put_list(settings, friday, 2, everything, n=4) == 0
    assert put_list(settings, friday + HOUR, 2, "E0 E1 E2 E3") == 1
    # The whole round is put off by a day: as many rows, none of them lost.
    assert put_list(settings, friday + 2 * HOUR, 3, everything) == 0


def test_one_of_several_sources_that_sends_nonsense_is_a_warning(settings: Settings):
    put_payload(settings)
    put_payload(settings, n_rows=20, n_rejected=20, source="the_odds_api", endpoint="odds")
    report = check_landing(settings, NOVEMBER, "run-1")
    assert (report.n_warnings, report.held) == (1, ())


def test_rows_that_wait_for_a_team_are_no_bad_rows(settings: Settings):
    payload_id = put_payload(settings, n_rows=20, n_rejected=20)
    with connect(settings, "ingest") as connection:
        connection.execute(
            "insert into landing.rejected_row (payload_id, row_number, scope, rule, reason, observed_at, run_id) "
            "select %s, number, 'row', 'team_doubtful', 'in doubt', %s, 'test' from generate_series(1, 20) as number",
            (payload_id, NOVEMBER),
        )
    report = check_landing(settings, NOVEMBER, "run-1")
    assert (report.n_warnings, report.held) == (0, ())


def test_a_sound_warehouse_passes(warehouse: Settings):
    core = check_core(warehouse, NOVEMBER, "run-1")
    features = check_features(warehouse, NOVEMBER, "run-2")
    assert (core.n_warnings, features.n_warnings) == (0, 0)
    assert (core.held, features.held) == ((), ())
    assert {finding.suite for finding in features.findings} == {
        "core_total", "core_match", "core_match_result", "core_consensus", "core_competition", "core_volume",
        "match_features", "feature_coverage",
    }  # fmt: skip


def match(number: int) -> str:
    return f"where match_id = md5('match' || {number})::uuid"


def failing(settings: Settings, run_id: str = "run") -> set[tuple[str, str | None]]:
    """Suite and column of what blocks."""
    kept = [row for row in stored(settings) if row["severity"] == "block" and row["suite"] != "gate"]
    return {
        (row["suite"], row["column_name"]) for row in kept if not row["success"] and row["run_id"] == run_id
    }


def test_a_broken_match_holds_its_competition_and_the_run_goes_on(warehouse: Settings):
    change(warehouse, f"update core.match set kickoff_at = null {match(1)}")
    report = check_core(warehouse, NOVEMBER, "run")
    assert report.held == ("E0",)
    assert "Home 1 Away 1" in report.summary
    assert failing(warehouse) == {
        ("core_match", "kickoff_at"),
        ("core_match_result", "seconds_after_kickoff"),
    } - {("core_match_result", "seconds_after_kickoff")}
    with connect(warehouse, "model") as connection:
        (reason,) = held_competitions(connection, NOVEMBER).values()
    assert "core_match.kickoff_at: E0 2022/23 Home 1 Away 1" in reason
    assert "touchline build" in reason
    assert [row["success"] for row in stored(warehouse) if row["suite"] == "gate"] == [False]


def test_every_competition_with_a_broken_row_is_held_however_many_rows_another_has(warehouse: Settings):
    change(warehouse, f"update core.match set kickoff_at = null where competition = 'E1'; "
                      f"update core.match set kickoff_at = null {match(39)}")  # fmt: skip
    report = check_core(warehouse, NOVEMBER, "run")
    assert report.held == ("E0", "E1")
    (finding,) = [each for each in report.findings if each.column == "kickoff_at" and not each.success]
    assert (finding.n_unexpected, len(finding.samples)) == (21, 5)


def test_a_hold_ends_by_itself_once_the_gate_passes_for_its_competition(warehouse: Settings):
    change(warehouse, f"update core.match set kickoff_at = null {match(1)}")
    check_core(warehouse, NOVEMBER, "run-1")
    later = NOVEMBER + timedelta(days=60)
    # Long after the match, which is looked at all the same until it is mended.
    assert check_core(warehouse, later, "run-2").held == ("E0",)
    change(warehouse, f"update core.match set kickoff_at = '2022-09-02 15:00Z' {match(1)}")
    assert check_core(warehouse, later, "run-3").held == ()
    assert holds(warehouse, NOVEMBER) == {("E0", "kickoff_at")}, "as of then it was held"
    assert holds(warehouse, later) == set()


def test_a_person_releases_a_competition_for_the_rows_that_held_it_and_no_others(warehouse: Settings):
    change(warehouse, f"update core.match_result set known_at = '2022-01-01' {match(1)}")
    assert check_core(warehouse, NOVEMBER, "run-1").held == ("E0",)
    released = release(warehouse, "E0", "the day was corrected by hand", NOVEMBER, "release")
    assert [hold.column_name for hold in released] == ["seconds_after_kickoff"]
    assert check_core(warehouse, NOVEMBER, "run-2").held == ()
    change(warehouse, f"update core.match_result set known_at = '2022-01-01' {match(3)}")
    assert check_core(warehouse, NOVEMBER, "run-3", everything=True).held == ("E0",)
    with pytest.raises(HoldUnknown, match=r"no hold on E1 .*; held: E0; see `touchline quality holds`"):
        release(warehouse, "E1", "no reason", NOVEMBER, "release")


@pytest.mark.nightly  # By day: test_a_person_releases_a_competition_for_the_rows_that_held_it_and_no_others.
def test_an_impossible_overround_is_accepted_for_its_match_alone(warehouse: Settings):
    change(warehouse, f"update core.match_odds set overround = 0.5 {match(5)}")
    assert check_core(warehouse, NOVEMBER, "run-1").held == ("E0",)
    release(warehouse, "E0", "a bookmaker's promotion", NOVEMBER, "release")
    assert check_core(warehouse, NOVEMBER, "run-2").held == ()
    change(warehouse, f"update core.match_odds set overround = 0.5 {match(7)}")
    assert check_core(warehouse, NOVEMBER, "run-3", everything=True).held == ("E0",)


def test_a_hold_widens_to_the_rows_that_join_it(warehouse: Settings):
    change(warehouse, f"update core.match_result set known_at = '2022-01-01' {match(1)}")
    check_core(warehouse, NOVEMBER, "run-1")
    check_core(warehouse, NOVEMBER, "run-2")
    change(warehouse, f"update core.match_result set known_at = '2022-01-01' {match(3)}")
    check_core(warehouse, NOVEMBER, "run-3")
    with connect(warehouse, "model") as connection:
        (hold,) = active_holds(connection, NOVEMBER)
        assert scalar(connection, "select count(*) from ops.competition_hold") == 2
    assert len(hold.row_keys) == 2


def test_the_core_gate_names_every_fault(warehouse: Settings):
    change(
        warehouse,
        f"insert into core.match select * from core.match {match(1)};"
        f"update core.match set kickoff_at = null {match(2)};"
        f"update core.match_result set known_at = '2022-01-01' {match(3)};"
        f"update core.match_result set home_goals = null {match(4)};"
        f"update core.match_odds set overround = 0.5 {match(5)};"
        f"delete from core.match_result {match(6)};"
        f"update core.match set home_team_id = gen_random_uuid() {match(7)};",
    )
    report = check_core(warehouse, NOVEMBER, "run")
    assert failing(warehouse) == {
        ("core_match", "match_id"), ("core_match", "kickoff_at"), ("core_match", "n_unknown_teams"),
        ("core_match", "n_results_missing"), ("core_match_result", "seconds_after_kickoff"),
        ("core_match_result", "goals"), ("core_consensus", "share_impossible"),
    }  # fmt: skip
    for number in (1, 2, 3, 4, 6, 7):
        assert f"Home {number} Away {number}" in report.summary
    assert report.held == ("E0", "E1")


MONDAYS = """
insert into core.match
select md5({guest} || day)::uuid, 'E0', '2022/23', 'Host ' || n, {guest}, one.home_team_id, one.away_team_id,
    'scheduled', false, 1, day + time '20:00', day
from (values {days}) as listed (day, n_matches) cross join generate_series(1, n_matches) as n
cross join (select home_team_id, away_team_id from core.match limit 1) as one
"""


def test_a_full_round_on_an_odd_day_is_nothing_unusual_and_a_team_that_plays_twice_is(warehouse: Settings):
    usual = ", ".join(f"(date '2022-09-05' + {7 * week}, 1)" for week in range(7))
    change(warehouse, MONDAYS.format(guest="'Guest ' || n", days=f"{usual}, (date '2022-10-31', 10)"))
    assert failing_columns(check_core(warehouse, NOVEMBER, "run-1")) == set()
    change(warehouse, MONDAYS.format(guest="'Another ' || n", days="(date '2022-10-31', 11)"))
    assert failing_columns(check_core(warehouse, NOVEMBER, "run-2")) == {"excess"}


def test_an_empty_core_stops_the_run(warehouse: Settings):
    change(warehouse, "truncate core.match")
    with pytest.raises(QualityGateFailed, match=r"core_total\.n_matches: observed 0"):
        check_core(warehouse, NOVEMBER, "run")
    assert holds(warehouse) == set()


def test_a_result_of_no_match_stops_the_run(warehouse: Settings):
    change(warehouse, f"delete from core.match {match(1)}")
    with pytest.raises(QualityGateFailed, match=r"core_match_result\.n_without_match"):
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
        9: "features_as_of = null",
    }
    change(
        warehouse,
        f"insert into features.match_features select * from features.match_features {match(1)};"
        + "".join(f"update features.match_features set {fault} {match(n)};" for n, fault in faults.items()),
    )
    report = check_features(warehouse, NOVEMBER, "run")
    columns = {
        "match_id", "seconds_to_kickoff", "seconds_before_as_of", "home_elo", "away_elo", "home_pi", "away_pi",
        "home_points_5", "away_points_5", "season_progress", "lowest_price",
    }  # fmt: skip
    assert failing(warehouse) == {("match_features", column) for column in columns}
    assert all(f"on match_features.{column}:" in report.summary for column in columns)


def test_only_what_changed_is_looked_at_again_unless_everything_is_wanted(warehouse: Settings):
    later = NOVEMBER + timedelta(days=30)
    put_payload(warehouse)
    check_features(warehouse, NOVEMBER, "run-1")
    change(warehouse, f"update features.match_features set home_elo = 9000 {match(1)}")
    assert check_features(warehouse, later, "run-2").held == ()
    assert check_features(warehouse, later, "run-3", everything=True).held == ("E0",)
    change(warehouse, f"update features.match_features set home_elo = 1500 {match(1)}")
    check_features(warehouse, later, "run-4")
    # A correction long after the match comes in a new payload.
    change(
        warehouse,
        f"update core.match set payload_id = 7 {match(2)};"
        f"update features.match_features set home_elo = 9000 {match(2)}",
    )
    assert check_features(warehouse, later, "run-5").held == ("E1",)


def test_a_fact_of_an_older_payload_that_came_into_core_later_is_looked_at(warehouse: Settings):
    later = NOVEMBER + timedelta(days=30)
    change(warehouse, "update core.match set payload_id = 5")
    check_features(warehouse, NOVEMBER, "run-1")
    change(
        warehouse,
        f"update core.match set payload_id = 3 {match(2)};"
        f"update features.match_features set home_elo = 9000 {match(2)}",
    )
    assert check_features(warehouse, later, "run-2").held == ("E1",)


def test_unrated_teams_are_only_noted(warehouse: Settings):
    change(warehouse, "update features.match_features set home_elo = null")
    report = check_features(warehouse, NOVEMBER, "run")
    assert {finding.column for finding in report.findings if not finding.success} == {"home_elo"}
    assert (report.n_warnings, report.held) == (1, ())
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
    report = check_predictions(settings, forecasts(*(fault for fault, _ in faults)), NOVEMBER, "run")
    assert report.held == ("E0",)
    columns = set().union(*(found for _, found in faults))
    assert failing(settings) == {("predictions", column) for column in columns}
    # Each wrong row is shown, the one in order is not.
    shown = {number for number in range(len(faults) + 1) if f"Home {number} " in report.summary}
    assert shown == set(range(1, len(faults) + 1))


def test_the_same_match_twice_is_not_written(settings: Settings):
    twice = forecasts({"match_id": "00000000-0000-0000-0000-000000000000"})
    report = check_predictions(settings, twice, NOVEMBER, "run")
    assert report.held == ("E0",)
    assert "expect_compound_columns_to_be_unique" in report.summary


def test_predictions_of_one_competition_do_not_hold_another(settings: Settings):
    mixed = forecasts({"p_home": 1.1, "competition": "E1", "home_team": "Home 9"})
    assert check_predictions(settings, mixed, NOVEMBER, "run-1").held == ("E1",)
    # A gate that has not seen a competition says nothing of it.
    assert check_predictions(settings, forecasts(), NOVEMBER, "run-2").held == ("E1",)
    assert check_predictions(settings, forecasts({"competition": "E1"}), NOVEMBER, "run-3").held == ()


def test_a_bold_forecast_is_only_noted(settings: Settings):
    bold = forecasts({"p_home": 0.98, "p_draw": 0.01, "p_away": 0.01})
    report = check_predictions(settings, bold, NOVEMBER, "run")
    assert [finding.column for finding in report.findings if not finding.success] == ["p_home"]


def test_no_password_is_written_to_the_project_of_great_expectations(documented: tuple[Settings, GateReport]):
    settings, _ = documented
    files = [path for path in data_docs.folder_of(settings).rglob("*") if path.is_file()]
    assert any(path.suffix == ".html" for path in files)
    for path in files:
        text = path.read_text(errors="replace")
        assert not [role for role, secret in settings.secrets.items() if secret in text], path


def put_rounds(settings: Settings, as_of: datetime, n_rounds: int, misspelt: int) -> None:
    """The season file of E0 so far: six teams, three matches a round, one row with a team under another name."""
    half = [pair for number in range(5) for pair in ROUND_ROBIN[number]]
    pairs = [*half, *((away, home) for home, away in half)][: 3 * n_rounds]
    found = [
        match_row(
            Date=f"{6 + number // 3 * 7 % 28:02d}/{8 + number // 12:02d}/2022", HomeTeam=home, AwayTeam=away
        )
        for number, (home, away) in enumerate(pairs)
    ]
    found[misspelt]["HomeTeam"] += " Town"
    land_answers(settings, {E0_FILE: season_csv(found)}, as_of)


ROUND_ROBIN = [
    [("Arsenal", "Burnley"), ("Chelsea", "Everton"), ("Leeds", "Fulham")],
    [("Arsenal", "Everton"), ("Burnley", "Fulham"), ("Chelsea", "Leeds")],
    [("Arsenal", "Fulham"), ("Everton", "Leeds"), ("Burnley", "Chelsea")],
    [("Arsenal", "Leeds"), ("Fulham", "Chelsea"), ("Everton", "Burnley")],
    [("Arsenal", "Chelsea"), ("Leeds", "Burnley"), ("Fulham", "Everton")],
]
UNKNOWN = "select reason from landing.quarantined_fact where rule = 'team_unknown_in_season'"


def unknown_teams(settings: Settings) -> list[str]:
    with connect(settings, "transform") as connection:
        return [row["reason"] for row in rows(connection, UNKNOWN)]


@pytest.mark.parametrize(
    "misspelt", [pytest.param(0, marks=pytest.mark.nightly), 13, pytest.param(29, marks=pytest.mark.nightly)]
)
def test_a_misspelt_team_is_left_out_of_a_season_that_is_loaded_at_once(settings: Settings, misspelt: int):
    put_rounds(settings, NOVEMBER, 10, misspelt)
    assert left_out(settings, NOVEMBER) == 1
    (reason,) = unknown_teams(settings)
    assert "Town is named in 1 matches of E0 2022/23, most teams in 10" in reason


@pytest.mark.nightly  # By day: test_a_misspelt_team_is_left_out_of_a_season_that_is_loaded_at_once.
def test_a_misspelt_team_of_the_first_round_is_left_out_once_it_shows(settings: Settings):
    for number, n_rounds in enumerate((1, 5, 9)):
        put_rounds(settings, NOVEMBER + number * HOUR, n_rounds, 0)
        assert left_out(settings, NOVEMBER + number * HOUR) == 0, n_rounds
    put_rounds(settings, NOVEMBER + 4 * HOUR, 10, 0)
    assert left_out(settings, NOVEMBER + 4 * HOUR) == 1
    assert "Arsenal Town" in unknown_teams(settings)[0]
    assert left_out(settings, NOVEMBER + 5 * HOUR) == 0


def test_a_play_off_may_bring_a_team_of_another_league_and_no_other_match_may(settings: Settings):
    put_rounds(settings, NOVEMBER, 10, 29)
    with connect(settings, "ingest") as connection:
        for number, stage in enumerate(("play_off", "league", None)):
            connection.execute(
                "insert into landing.fixture_observation (fixture_key, source, competition, season, home_team, "
                "away_team, kickoff_on, kickoff_at, is_kickoff_time_known, status, stage, payload_id, row_number, "
                "published_at, observed_at, known_at) select gen_random_uuid(), 'api_football', 'E0', '2022/23', "
                "'Arsenal', 'Luton ' || %(n)s, '2022-11-20', '2022-11-20 15:00Z', true, 'scheduled', %(stage)s, "
                "max(payload_id), 90 + %(n)s, %(at)s, %(at)s, %(at)s from landing.payload",
                {"n": number, "stage": stage, "at": NOVEMBER},
            )
    left_out(settings, NOVEMBER)
    named = sorted(reason.split(": ")[1].split(" is named")[0] for reason in unknown_teams(settings))
    assert [name for name in named if name.startswith("Luton")] == ["Luton 1", "Luton 2"]


@pytest.mark.nightly
def test_the_one_unknown_team_of_all_real_season_files_is_a_misspelt_one(
    settings: Settings, season_files: Path
):
    found = [
        parse_file(f"mmz4281/{path.parent.name}/{path.name}", path.read_bytes()).fixtures
        for path in sorted(season_files.rglob("*.csv"))
    ]
    payload_id = put_payload(settings)
    utc = pl.Datetime("us", "UTC")
    seen = {name: pl.lit(NOVEMBER, dtype=utc) for name in ("published_at", "observed_at", "known_at")}
    frame = pl.concat(found).unique("fixture_key", keep="first")
    with connect(settings, "ingest") as connection:
        copy_frame(
            connection,
            sql.Identifier("landing", "fixture_observation"),
            frame.with_columns(source=pl.lit(ANCHOR), payload_id=pl.lit(payload_id), **seen),
        )
    later = NOVEMBER + timedelta(days=365)
    check_landing(settings, later, "run")
    assert frame.height > 218_000
    (reason,) = unknown_teams(settings)
    assert "Raith is named in 1 matches of SC1 2004/05, most teams in 36" in reason
