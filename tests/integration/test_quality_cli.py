"""What operators see of quality: commands, the board, measures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from builders import match_row, season_csv
from planted_world import land
from scraping import scraped, series
from touchline import cli
from touchline.quality.gates import check_landing
from touchline.serving.app import create_app
from touchline.settings import Settings
from warehouse import round_robin

pytestmark = pytest.mark.slow

NOVEMBER = datetime(2022, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def broken(module_settings: Settings) -> Settings:
    """E0 with a score that cannot be, E1 with a file of nonsense, D1 in order."""
    first, *others = round_robin()
    del first["FTR"]
    nonsense = [{**row, "Div": "E1", "Date": "soon"} for row in [*round_robin(), *round_robin()]]
    land(
        module_settings,
        {
            "mmz4281/2223/E0.csv": season_csv([match_row(**{**first, "FTHG": "21"}), *others]),
            "mmz4281/2223/E1.csv": season_csv(nonsense),
            "mmz4281/2223/D1.csv": season_csv(
                [{**row, "Div": "D1", "Time": "soon"} for row in round_robin()]
            ),
        },
        NOVEMBER,
    )
    check_landing(module_settings, NOVEMBER, "gate")
    return module_settings


@pytest.fixture
def run(broken: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    for name, value in broken.model_copy(update={"as_of": NOVEMBER}).environment().items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, list(arguments), env={"COLUMNS": "200"})

    return invoke


@pytest.fixture
def api(broken: Settings) -> Iterator[TestClient]:
    async def present() -> datetime:
        return NOVEMBER

    with TestClient(create_app(broken, present)) as client:
        yield client


def test_every_rule_is_listed_with_its_counts(run: Callable[..., Any]):
    rules = {rule["rule"]: rule for rule in json.loads(run("--json", "quality", "rules").stdout)}
    counts = {name: (rule["n_in_run"], rule["n_ever"]) for name, rule in rules.items() if rule["n_ever"]}
    assert counts == {
        "score_impossible": (1, 1), "date_format": (30, 30), "time_format": (15, 15),
        "kickoff_time_customary": (15, 15),
    }  # fmt: skip
    assert rules["score_impossible"]["severity"] == "quarantine"
    of_gate = json.loads(run("--json", "quality", "rules", "--run", "gate").stdout)
    assert {rule["rule"] for rule in of_gate if rule["n_in_run"]} == {"score_impossible"}
    assert "teams_swapped" in run("quality", "rules").output


def test_facts_that_are_left_out_are_shown_with_rule_and_reason(run: Callable[..., Any]):
    (fact,) = json.loads(run("--json", "quality", "quarantined").stdout)
    assert (fact["competition"], fact["rule"], fact["reason"]) == (
        "E0", "score_impossible", "Arsenal - Chelsea 21-0",
    )  # fmt: skip
    assert json.loads(run("--json", "quality", "quarantined", "--competition", "E1").stdout) == []
    assert run("quality", "quarantined", "--rule", "nonsense").exit_code == 2


def test_rejects_know_the_rules_and_say_where_the_others_are(run: Callable[..., Any]):
    assert (
        len(json.loads(run("--json", "rejects", "show", "--rule", "date_format", "--limit", "99").stdout))
        == 30
    )
    assert run("rejects", "show", "--rule", "nonsense").exit_code == 2
    elsewhere = run("rejects", "show", "--rule", "score_impossible")
    assert elsewhere.exit_code == 2
    assert "touchline quality quarantined" in re.sub(r"[\s│]+", " ", elsewhere.output)


def test_the_history_names_what_failed(run: Callable[..., Any]):
    (gate,) = json.loads(run("--json", "quality", "history", "--gate", "landing").stdout)
    assert (gate["run_id"], gate["is_clean"], gate["n_quarantining"]) == ("gate", False, 1)
    assert gate["n_blocking"] == 1
    assert {"landing_rules.score_impossible", "landing_payload.anchor_rejected_share"} <= set(gate["failed"])
    assert "score_impossible" in run("quality", "history").output


def test_metrics_count_failures_by_gate_and_severity(broken: Settings):
    found = scraped(broken, NOVEMBER)
    assert found[series("quality_failures", gate="landing", severity="block")] == 1
    assert found[series("quality_failures", gate="landing", severity="quarantine")] == 1
    assert found[series("quality_checked_timestamp_seconds", gate="landing")] == NOVEMBER.timestamp()
    assert found[series("quarantined_facts", rule="score_impossible")] == 1
    assert found[series("rejected_rows", source="football_data_uk", reason="date_format")] == 30


def test_a_hold_is_a_shortfall_of_readiness(api: TestClient):
    held = [each for each in api.get("/v1/health/ready").json()["shortfalls"] if each["kind"] == "held"]
    assert "E1" in [each["subject"] for each in held]
    assert all("touchline quality holds" in each["what_to_do"] for each in held)


def test_a_held_competition_is_shown_and_released_with_a_reason(run: Callable[..., Any]):
    (hold,) = json.loads(run("--json", "quality", "holds").stdout)
    assert (hold["competition"], hold["gate"], hold["column_name"]) == (
        "E1",
        "landing",
        "anchor_rejected_share",
    )
    assert "E1.csv" in hold["reason"]
    assert "touchline rejects count" in hold["reason"]
    assert run("quality", "release", "E1").exit_code == 2, "a reason is wanted"
    assert run("quality", "release", "E1", "--reason", " ").exit_code == 2
    released = json.loads(run("--json", "quality", "release", "E1", "--reason", "a test file").stdout)
    assert [each["competition"] for each in released] == ["E1"]
    assert json.loads(run("--json", "quality", "holds").stdout) == []
    again = run("quality", "release", "E1", "--reason", "again")
    assert again.exit_code == 1
