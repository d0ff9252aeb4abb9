"""OpenLineage events and edges: well formed, sent once, and never in the way of the work they tell of."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from openlineage.client import facet_v2
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.serde import Serde

from databases import copy_of
from lineage_receiver import receiving
from october import NOW
from touchline.anomalies.search import find_anomalies
from touchline.database.engine import connect, rows, scalar
from touchline.errors import WarehouseBuildFailed
from touchline.openlineage import dbt_events, model_events
from touchline.openlineage.columns import read_warehouse
from touchline.openlineage.datasets import STEPS, dataset_uri
from touchline.openlineage.edges import record_step
from touchline.openlineage.transport import events_file, transport_configuration
from touchline.operations import records
from touchline.operations import steps as pipeline
from touchline.operations.airflow_settings import airflow_variables
from touchline.operations.names import BUILD
from touchline.quality.gates import check_landing
from touchline.ratings.versions import VERSIONS
from touchline.settings import Settings
from touchline.warehouse.build import SELECTIONS, build_layer
from touchline.warehouse.invocation import run_dbt
from warehouse import build, land, round_robin

pytestmark = pytest.mark.slow

REQUIRED = {"eventTime", "eventType", "run", "job", "inputs", "outputs", "producer", "schemaURL"}
WITH_RUNS = """
select table_schema || '.' || table_name as name
from information_schema.columns inner join information_schema.tables using (table_schema, table_name)
where column_name = 'run_id' and table_schema in ('landing', 'ops', 'ledger') and table_type = 'BASE TABLE'
"""
FACETS: dict[str, Any] = {
    "columnLineage": facet_v2.column_lineage_dataset.ColumnLineageDatasetFacet,
    "documentation": facet_v2.documentation_dataset.DocumentationDatasetFacet,
    "schema": facet_v2.schema_dataset.SchemaDatasetFacet,
    "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
}


@pytest.fixture(scope="module")
def built(october: Settings) -> Iterator[Settings]:
    """A warehouse whose last build left its events in the file below the server's home."""
    with copy_of(october) as settings:
        build(settings, NOW)
        build_layer(settings, "analytics", NOW, "build")
        yield settings


@pytest.fixture(scope="module")
def views(built: Settings) -> list[dbt_events.BuiltModel]:
    """What dbt says of a run that made the views of analysts."""
    run = run_dbt(
        built,
        "run",
        "--select",
        *SELECTIONS["analytics"],
        environment={"TOUCHLINE_DBT_AS_OF": NOW.isoformat()},
    )
    return dbt_events.built_models(run.manifest, run.results, run.ended_at)


def sent(settings: Settings) -> list[dict[str, Any]]:
    """Events of this database in the file, in order."""
    events = [json.loads(line) for line in events_file(settings).read_text().splitlines()]
    return [event for event in events if settings.warehouse_database in json.dumps(event["outputs"])]


def validated(event: dict[str, Any]) -> RunEvent:
    """The event through the client's own classes, which check what the specification demands."""
    assert event.keys() >= REQUIRED, event
    parts = {
        "inputs": [InputDataset(each["namespace"], each["name"]) for each in event["inputs"]],
        "outputs": [OutputDataset(each["namespace"], each["name"]) for each in event["outputs"]],
    }
    for output in event["outputs"]:
        for name, value in output.get("facets", {}).items():
            given = {key: each for key, each in value.items() if not key.startswith("_")}
            FACETS[name](**given)
            assert value["_schemaURL"].startswith("https://openlineage.io/spec/facets/")
    uuid.UUID(event["run"]["runId"])
    again = RunEvent(
        eventTime=event["eventTime"], eventType=RunState(event["eventType"]), run=Run(event["run"]["runId"]),
        job=Job(event["job"]["namespace"], event["job"]["name"]), producer=event["producer"], **parts,
    )  # fmt: skip
    assert Serde.to_dict(again)["schemaURL"] == event["schemaURL"]
    return again


def edges(settings: Settings, condition: str = "true") -> set[tuple[str, str, str, str]]:
    query = f"select from_kind, from_id, to_kind, to_id from ops.lineage_edge where {condition}"
    with connect(settings, "model") as connection:
        return {tuple(row.values()) for row in rows(connection, query)}


def test_every_model_that_dbt_built_has_a_start_and_an_end(built: Settings):
    events = sent(built)
    for event in events:
        validated(event)
    kinds: dict[str, list[str]] = {}
    for event in events:
        kinds.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert all(kind == ["START", "COMPLETE"] for kind in kinds.values())
    jobs = {event["job"]["name"] for event in events}
    assert {"dbt.core.match", "dbt.features.match_features", "dbt.analytics.upcoming_predictions"} <= jobs


def test_datasets_are_named_as_openlineage_names_them_for_postgresql(built: Settings):
    (event,) = [
        each for each in sent(built)
        if each["job"]["name"] == "dbt.core.match" and each["eventType"] == "COMPLETE"
    ]  # fmt: skip
    port = built.running_port("postgres", 0)
    assert event["outputs"][0]["namespace"] == f"postgres://127.0.0.1:{port}"
    assert event["outputs"][0]["name"] == f"{built.warehouse_database}.core.match"
    assert f"{built.warehouse_database}.core.competition" in {each["name"] for each in event["inputs"]}
    assert (
        dataset_uri(built, "core.match")
        == f"postgres://127.0.0.1:{port}/{built.warehouse_database}/core/match"
    )


def test_the_views_of_analysts_come_with_the_lineage_of_their_columns(built: Settings):
    completed = [event for event in sent(built) if event["eventType"] == "COMPLETE"]
    views = [event for event in completed if event["job"]["name"].startswith("dbt.analytics.")]
    assert views
    for event in views:
        assert event["outputs"][0]["facets"]["columnLineage"]["fields"], event["job"]["name"]
    (upcoming,) = [event for event in views if event["job"]["name"] == "dbt.analytics.upcoming_predictions"]
    (field,) = upcoming["outputs"][0]["facets"]["columnLineage"]["fields"]["p_home"]["inputFields"]
    assert (field["name"], field["field"]) == (
        f"{built.warehouse_database}.analytics.prediction_history", "p_home",
    )  # fmt: skip


def test_edges_say_what_each_table_was_made_from_and_a_repeat_adds_none(
    built: Settings, views: list[dbt_events.BuiltModel]
):
    name = built.warehouse_database
    dbt_events.emit(built, views, NOW, "build", "build_analytics")
    before = edges(built)
    assert (
        "dataset",
        f"{name}.landing.odds_observation",
        "dataset",
        f"{name}.staging.stg_odds_observation",
    ) in before
    assert ("dataset", f"{name}.core.match", "dataset", f"{name}.features.match_features") in before
    assert ("task_run", "build/build_core", "dataset", f"{name}.core.match") in before
    dbt_events.emit(built, views, NOW, "build", "build_analytics")
    assert edges(built) == before


def test_a_server_receives_what_the_file_would_hold(built: Settings, views: list[dbt_events.BuiltModel]):
    with receiving() as received:
        settings = built.model_copy(
            update={"lineage_url": received.url, "lineage_parent": f"touchline/some_dag.task/{uuid.uuid4()}"}
        )
        n_sent = dbt_events.emit(settings, views, NOW, "build", "build_analytics")
    assert n_sent == len(received.events) >= 18
    for event in received.events:
        validated(event)
        job = event["run"]["facets"]["parent"]["job"]
        assert job == {
            "facets": {},
            "name": "some_dag.task",
            "namespace": "touchline",
        }
        assert event["run"]["facets"]["nominalTime"]["nominalStartTime"] == NOW.isoformat()


def test_a_server_gets_the_key_it_asks_for(
    built: Settings, views: list[dbt_events.BuiltModel], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOUCHLINE_LINEAGE_KEY", "secret")
    with receiving() as received:
        settings = built.model_copy(update={"lineage_url": received.url})
        dbt_events.emit(settings, views, NOW, "build", "build_analytics")
    assert received.headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize("status", [500, 404, None])
def test_a_transport_that_fails_is_logged_once_and_fails_nothing(
    built: Settings,
    views: list[dbt_events.BuiltModel],
    caplog: pytest.LogCaptureFixture,
    status: int | None,
):
    with receiving(status or 201) as received:
        gone = received.url
        if status is not None:
            settings = built.model_copy(update={"lineage_url": received.url})
            with caplog.at_level(logging.WARNING):
                assert dbt_events.emit(settings, views, NOW, "build", "build_analytics") == 0
            assert received.n_requests == 1, "the rest is not tried"
    if status is None:
        with caplog.at_level(logging.WARNING):
            settings = built.model_copy(update={"lineage_url": gone})
            assert build_layer(settings, "analytics", NOW, "build", is_full=True).n_models >= 9
    told = [record for record in caplog.records if "lineage events did not reach" in record.getMessage()]
    assert len(told) == 1


def test_a_model_that_failed_is_told_as_failed(built: Settings):
    with copy_of(built) as settings:
        with connect(settings, "owner") as connection:
            connection.execute("alter table ledger.prediction_outcome rename column rps to gone")
        with pytest.raises(WarehouseBuildFailed):
            build_layer(settings, "analytics", NOW, "broken", is_full=True)
        events = sent(settings)
        failed = [event for event in events if event["eventType"] == "FAIL"]
        assert [event["job"]["name"] for event in failed] == ["dbt.staging.stg_prediction_outcome"]
        assert failed[0]["run"]["facets"]["errorMessage"]["message"]


def test_a_fit_leads_from_its_training_set_to_the_version_and_is_told_once(built: Settings):
    tags = {
        "as_of": NOW.isoformat(), "trained_from": "2022-10-01T00:00:00+00:00", "n_matches": "15",
        "trained_until": "2022-10-15T00:00:00+00:00", "competitions": "E0", "dataset_digest": "d" * 64,
        "primary": "elo",
    }  # fmt: skip
    fit = model_events.Fit("some_model", "3", "mlflow-run", tags, NOW, NOW)
    with receiving() as received:
        settings = built.model_copy(update={"lineage_url": received.url})
        assert [model_events.emit(settings, fit, "train"), model_events.emit(settings, fit, "again")] == [
            2,
            0,
        ]
    assert [validated(event).eventType for event in received.events] == [RunState.START, RunState.COMPLETE]
    assert received.events[1]["outputs"][0]["facets"]["version"]["datasetVersion"] == "3"
    assert ("training_set", "d" * 64, "model_version", "some_model/3") in edges(built)
    with connect(built, "model") as connection:
        query = "select detail ->> 'as_of' from ops.lineage_edge where to_id = 'some_model/3'"
        assert scalar(connection, query) == NOW.isoformat()


def test_a_recorded_step_leaves_edges_to_what_it_wrote(built: Settings):
    name = built.warehouse_database
    with records.recorded(built, "collect_odds/sandbox", "collect_odds/run-1", NOW) as detail:
        detail["source"] = "sandbox"
    with records.recorded(built, "predict", "predict_matches/run-2", NOW) as detail:
        detail["model_version"] = "7"
    found = edges(built, "run_id in ('collect_odds/run-1', 'predict_matches/run-2')")
    assert ("source", "sandbox", "task_run", "collect_odds/run-1/collect_odds/sandbox") in found
    assert ("model_version", f"{built.model_name}/7", "prediction_run", "predict_matches/run-2") in found
    assert ("prediction_run", "predict_matches/run-2", "dataset", f"{name}.ledger.prediction") in found
    with connect(built, "ingest") as connection:
        record_step(connection, built, "predict", "predict_matches/run-2", {"model_version": "7"})
    assert edges(built, "run_id in ('collect_odds/run-1', 'predict_matches/run-2')") == found


def test_what_steps_say_they_touch_is_there(built: Settings):
    tables = {table for step in STEPS.values() for table in (*step.reads, *step.writes)}
    with connect(built, "owner") as connection:
        missing = [name for name in tables if scalar(connection, "select to_regclass(%s)", (name,)) is None]
    assert missing == []
    of_kinds = {
        name.partition("_")[0] for name in pipeline.STEPS if name.startswith(("collect_", "announce_"))
    }
    others = {
        name.partition("/")[0] for name in pipeline.STEPS if not name.startswith(("collect_", "announce_"))
    }
    assert STEPS.keys() == of_kinds | others, "each is a step of the pipeline"


def test_a_step_says_every_table_it_writes_its_run_into(built: Settings, tmp_path: Path):
    impossible = [{**row, "FTHG": "21", "FTR": "H"} if row["FTHG"] == "3" else row for row in round_robin()]
    with copy_of(built) as settings:
        land(settings, tmp_path, impossible, NOW + timedelta(hours=1))
        check_landing(settings, NOW + timedelta(hours=1), "check_landing")
        find_anomalies(settings, NOW + timedelta(hours=1), "detect_anomalies")
        with connect(settings, "owner") as connection:
            tables = rows(connection, WITH_RUNS)
            written = {
                step: {
                    row["name"] for row in tables
                    if scalar(connection, f"select exists (select from {row['name']} where run_id = %s)", (step,))
                }
                for step in ("check_landing", "detect_anomalies")
            }  # fmt: skip
    assert {"landing.quarantined_fact", "ops.rule_result"} <= written["check_landing"]
    assert "ops.anomaly_search" in written["detect_anomalies"]
    for step, names in written.items():
        assert names <= set(STEPS[step].writes)


def test_every_step_of_a_build_says_what_it_touches_and_ratings_read_results_as_known(built: Settings):
    assert set(BUILD) <= STEPS.keys()
    read = set(re.findall(r"(?:from|join) (core\.\w+)", VERSIONS))
    assert set(STEPS["update_ratings"].reads) == read
    with connect(built, "transform") as connection:
        stated = {name for names in read_warehouse(built, connection).ratings.values() for name in names}
    assert {name.rpartition(".")[0] for name in stated} == read


def test_airflow_is_told_the_same_transport_in_a_file_for_its_owner_alone(
    built: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOUCHLINE_LINEAGE_KEY", "lineage-secret")
    settings = built.model_copy(update={"lineage_url": "http://marquez:5000"})
    variables = airflow_variables(settings, 8080)
    path = Path(variables["AIRFLOW__OPENLINEAGE__CONFIG_PATH"])
    assert json.loads(path.read_text()) == {"transport": transport_configuration(settings)}
    assert "lineage-secret" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    # What runs inside a task tells the server, too, and finds the key where every process does.
    assert [name for name, value in variables.items() if "lineage-secret" in value] == [
        "TOUCHLINE_LINEAGE_KEY"
    ]
    assert variables["AIRFLOW__OPENLINEAGE__NAMESPACE"] == "touchline"


@pytest.mark.parametrize("status", [500, None])
def test_a_password_in_the_address_is_not_logged(
    built: Settings,
    views: list[dbt_events.BuiltModel],
    caplog: pytest.LogCaptureFixture,
    status: int | None,
):
    with receiving(status or 201) as received:
        url = received.url.replace("//", "//reader:lineage-secret@")
        settings = built.model_copy(update={"lineage_url": url})
        if status is not None:
            dbt_events.emit(settings, views, NOW, "build", "build_analytics")
    if status is None:
        dbt_events.emit(settings, views, NOW, "build", "build_analytics")
    assert f"did not reach {received.url}" in caplog.text
    assert "lineage-secret" not in caplog.text
