"""What watches a running Touchline, started for real beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api_process import free_port, key_for, process
from touchline.credentials import write_private
from touchline.operations import alertmanager, maintenance, monitoring_services, status
from touchline.operations.monitoring_services import those_that_run
from touchline.operations.service_checks import service_checks
from touchline.settings import Access, Notify, Settings
from touchline.supervision.programs import read_program
from watching import await_that, installed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def watched(module_settings: Settings) -> Iterator[Settings]:
    """An installation, of which only the database runs beside what a test before has started."""
    ports = dict.fromkeys(
        ("exporter_port", "prometheus_port", "alertmanager_port", "node_exporter_port", "api_port"), 0
    )
    free = module_settings.model_copy(update=ports)
    yield free
    monitoring_services.stop(free)


@pytest.fixture
def everything(watched: Settings) -> Settings:
    """The same on a machine that has it all."""
    for name in monitoring_services.INSTALLED_AS:
        installed(name)
    return watched


def rows(settings: Settings) -> dict[str, status.ServiceState]:
    return {each.service: each for each in status.status(settings).services}


def test_everything_runs_and_prometheus_asks_it(everything: Settings):
    monitoring_services.stop(everything)
    report = monitoring_services.start(everything)
    assert (set(report.started), report.missing) == (set(status.MONITORING), ())
    found = rows(everything)
    assert {name: (found[name].state, found[name].address) for name in status.MONITORING} == {
        name: ("running", address) for name, address in report.addresses.items()
    }
    prometheus = report.addresses[status.PROMETHEUS]

    def health() -> dict[str, str]:
        targets = httpx.get(f"{prometheus}/api/v1/targets").json()["data"]["activeTargets"]
        return {each["labels"]["job"]: each["health"] for each in targets}

    up = dict.fromkeys(("exporter", "node", "prometheus", "alertmanager"), "up")
    await_that(lambda: health() == {**up, "api": "down"}, "each but the API, which does not run, was asked")
    managers = httpx.get(f"{prometheus}/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
    assert [each["url"] for each in managers] == [f"{report.addresses[status.ALERTMANAGER]}/api/v2/alerts"]
    checks = {each.subject: each for each in service_checks(everything, datetime.now(UTC))}
    assert {checks[name].state for name in status.MONITORING} == {"ok"}
    assert checks["Prometheus' targets"].state == "warning"
    assert checks["Prometheus' targets"].finding.startswith("down: api (")


def test_a_second_start_leaves_alone_what_runs_as_it_should(everything: Settings):
    monitoring_services.start(everything)
    assert monitoring_services.start(everything).started == ()
    told = everything.model_copy(update={"notify": Notify(webhook="https://hooks.example/T0")})
    assert monitoring_services.start(told).started == (status.ALERTMANAGER,)
    # As `touchline up` would have them: the same, so that it leaves them alone too.
    for program in those_that_run(told):
        kept = read_program(told.home, program.name)
        assert kept is not None
        assert (kept.digest, kept.port) == (program.digest, program.port)
    assert [program.name for program in those_that_run(told)] == list(status.MONITORING)


def test_prometheus_shows_a_key_to_an_api_that_wants_one(everything: Settings):
    closed = everything.model_copy(update={"access": Access(anonymous=False), "api_port": free_port()})
    address = f"http://127.0.0.1:{closed.api_port}"
    command = [sys.executable, "-m", "touchline.serving", "--port", str(closed.api_port)]
    place = closed.home / "prometheus" / "api_key"
    place.parent.mkdir(exist_ok=True)

    def health(prometheus: str) -> list[str]:
        targets = httpx.get(f"{prometheus}/api/v1/targets").json()["data"]["activeTargets"]
        return [each["health"] for each in targets if each["labels"]["job"] == "api"]

    with process(command, closed, address):
        assert httpx.get(f"{address}/metrics").status_code == 401
        write_private(place, key_for(closed, "read").key)
        try:
            prometheus = monitoring_services.start(closed).addresses[status.PROMETHEUS]
            await_that(lambda: health(prometheus) == ["up"], "the API lets Prometheus in")
        finally:
            place.unlink()


def test_a_maintenance_that_was_declared_before_is_kept_to(everything: Settings):
    now = datetime.now(UTC)
    maintenance.declare(everything, "a new disk", "ann", now, now + timedelta(hours=1))
    address = monitoring_services.start(everything).addresses[status.ALERTMANAGER]
    assert len(alertmanager.silences(address)) == 1
    maintenance.end(everything, "ann", datetime.now(UTC))
    monitoring_services.start(everything)
    assert alertmanager.silences(address) == []


def test_what_is_not_installed_is_named_and_the_rest_runs(watched: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        monitoring_services, "INSTALLED_AS",
        {name: (("no-such-program",), package) for name, (_, package) in monitoring_services.INSTALLED_AS.items()},
    )  # fmt: skip
    monitoring_services.stop(watched)
    report = monitoring_services.start(watched)
    assert (report.started, report.missing) == ((status.EXPORTER,), status.MONITORING[1:])
    assert report.to_do.startswith(
        "apt-get install prometheus prometheus-alertmanager prometheus-node-exporter, then"
    )
    assert "1 of 4 parts" in report.summary
    exported = httpx.get(f"{report.addresses[status.EXPORTER]}/metrics").text
    assert "touchline_database_up 1.0" in exported


def test_it_is_stopped_alone_and_what_was_never_started_has_no_row(watched: Settings):
    monitoring_services.stop(watched)
    before = rows(watched)
    assert before.keys().isdisjoint(status.MONITORING)
    monitoring_services.start(watched)
    assert status.EXPORTER in monitoring_services.stop(watched)
    after = rows(watched)
    assert after.keys() == before.keys()
    assert after[status.POSTGRES].state == "running"
    assert those_that_run(watched) == []
    subjects = [check.subject for check in service_checks(watched, datetime.now(UTC))]
    assert set(subjects).isdisjoint(status.MONITORING)
