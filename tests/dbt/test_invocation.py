"""dbt in a process that lives on: nothing piles up, and what was parsed is handed on only where it is right."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from dbt.adapters.base import impl

from touchline.settings import Settings
from touchline.warehouse import invocation
from touchline.warehouse.changes import DBT_PROJECT
from touchline.warehouse.invocation import dbt_result, log_file, parsed_project

pytestmark = pytest.mark.slow


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only model of a project that is parsed in a fraction of the time."""
    project = tmp_path / "project"
    model = project / "models" / "core" / "match.sql"
    model.parent.mkdir(parents=True)
    model.write_text("select 1 as n\n")
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(DBT_PROJECT / name, project)
    monkeypatch.setattr(invocation, "DBT_PROJECT", project)
    return model


def settings_of(home: Path, database: str) -> Settings:
    # dbt reads the project without a connection.
    return Settings(home=home, database_url="postgresql://nobody@127.0.0.1:1/none", database_name=database)


@pytest.mark.usefixtures("model")
def test_many_calls_leave_as_many_behaviour_flags_as_one(tmp_path: Path):
    settings = settings_of(tmp_path, "one")
    lengths = []
    for _ in range(5):
        dbt_result(settings, "list", "--select", "match")
        lengths.append(len(impl.DEFAULT_BASE_BEHAVIOR_FLAGS))
    assert lengths == lengths[:1] * 5


@pytest.mark.usefixtures("model")
def test_a_project_that_has_not_changed_is_parsed_once(tmp_path: Path):
    assert parsed_project(settings_of(tmp_path, "one")) is parsed_project(settings_of(tmp_path, "one"))


@pytest.mark.usefixtures("model")
def test_another_database_has_a_manifest_of_its_own(tmp_path: Path):
    for database in ("one", "two", "one"):
        manifest = parsed_project(settings_of(tmp_path, database))
        models = [node for node in manifest.nodes.values() if node.resource_type == "model"]
        assert [node.database for node in models] == [database]
        assert all(f'"{database}".' in node.relation_name for node in models)


def test_a_changed_model_is_parsed_anew(model: Path, tmp_path: Path):
    settings = settings_of(tmp_path, "changed")
    before = parsed_project(settings)
    model.write_text(model.read_text() + "-- changed\n")
    after = parsed_project(settings)
    assert "-- changed" in after.nodes["model.touchline.match"].raw_code
    assert "-- changed" not in before.nodes["model.touchline.match"].raw_code


@pytest.mark.nightly  # By day: a changed model is parsed anew.
def test_a_project_that_goes_back_to_an_earlier_state_is_parsed_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    later = tmp_path / "later"
    shutil.copytree(DBT_PROJECT, later)
    (later / "models" / "core" / "added.sql").write_text("select 1 as added")
    settings = settings_of(tmp_path, "back")
    for project, is_there in ((later, True), (DBT_PROJECT, False)):
        monkeypatch.setattr(invocation, "DBT_PROJECT", project)
        assert ("model.touchline.added" in parsed_project(settings).nodes) is is_there
    assert log_file(settings).read_text().count("Starting full parse") == 2


def test_nothing_in_the_project_reads_the_environment_while_it_is_parsed(tmp_path: Path):
    assert parsed_project(settings_of(tmp_path, "one")).env_vars == {}
