"""The catalogue: no table without owner, description, grain and promise, and its age by the run clock."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from databases import copy_of
from october import NOW
from predictions import insert_prediction, unchecked
from touchline.cli import app
from touchline.settings import Settings
from touchline.warehouse.catalogue import catalogue, described_by_dbt, described_by_file

pytestmark = pytest.mark.slow


@pytest.fixture
def built(october: Settings) -> Settings:
    return october


def test_no_table_of_ours_lacks_owner_description_grain_or_promise(built: Settings):
    entries = catalogue(built, NOW)
    assert len(entries) >= 50
    lacking = [
        (entry.name, what)
        for entry in entries
        for what in ("owner", "description", "grain", "freshness")
        if not getattr(entry, what)
    ]
    assert lacking == []


def test_the_file_names_only_tables_that_exist(built: Settings):
    assert set(described_by_file()) - {entry.name for entry in catalogue(built, NOW)} == set()


def test_models_of_dbt_bring_what_their_yaml_says(built: Settings):
    entries = {entry.name: entry for entry in catalogue(built, NOW)}
    assert described_by_dbt(built).keys() <= entries.keys() | {"core.competition"} | {
        name for name in described_by_dbt(built) if name.startswith("analytics.")
    }
    assert (entries["core.match"].description or "").startswith("One row")


def test_the_age_is_by_the_run_clock_and_late_is_told(built: Settings):
    later = {entry.name: entry for entry in catalogue(built, NOW + timedelta(hours=30))}
    now = {entry.name: entry for entry in catalogue(built, NOW + timedelta(hours=1))}
    assert (now["landing.payload"].age_hours, now["landing.payload"].state) == (1.0, "fresh")
    assert (later["landing.payload"].age_hours, later["landing.payload"].state) == (30.0, "late")
    assert now["ledger.prediction"].state == "empty"
    assert now["ops.audit_log"].state == "unpromised"


def test_a_prediction_makes_the_ledger_fresh(built: Settings):
    with copy_of(built) as settings:
        with unchecked(settings) as connection:
            made = NOW - timedelta(hours=2)
            insert_prediction(connection, predicted_at=made, features_as_of=made)
        (entry,) = [each for each in catalogue(settings, NOW, "ledger") if each.name == "ledger.prediction"]
    assert (entry.age_hours, entry.state) == (2.0, "fresh")


def test_the_command_shows_one_schema_or_all(built: Settings, monkeypatch: pytest.MonkeyPatch):
    for name, value in {**built.environment(), "TOUCHLINE_AS_OF": NOW.isoformat()}.items():
        monkeypatch.setenv(name, value)
    shown = CliRunner().invoke(app, ["catalogue", "--schema", "landing"])
    assert shown.exit_code == 0, shown.output
    assert "landing.payload" in shown.output
    assert "core.match" not in shown.output
    found = json.loads(CliRunner().invoke(app, ["--json", "catalogue"]).stdout)
    assert {"landing.payload", "core.match", "ops.world"} <= {entry["name"] for entry in found}
    assert CliRunner().invoke(app, ["catalogue", "--schema", "feast"]).exit_code == 2
