"""The only source of prices is down for twelve hours of a matchday, and nobody does anything about it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from installation import Installation
from touchline.database.engine import connect, rows, scalar
from touchline.monitoring.late import PREDICTED_BEFORE
from touchline.operations import names
from touchline.operations.airflow_api import AirflowApi, airflow_of
from touchline.sandbox.clock import BEGINNING, call
from touchline.sandbox.faults import NONE, Fault, switch_fault
from touchline.settings import Settings
from touchline.sources.configuration import DEFAULT_PATH
from touchline.sources.simulated import THE_ODDS_API

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

# A Saturday: the world begins on the afternoon before.
LAST_ANSWER = BEGINNING.replace(hour=6) + timedelta(days=1)
HOURS = 12
SECONDS = 600


@dataclass
class Drill:
    """What was seen: the alerts of the outage, and what is shown in its last hour and after it."""

    settings: Settings
    alerts: list[str]
    down: dict[str, Any]
    after: dict[str, Any]


@pytest.fixture(scope="module")
def drill(own_installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    installation = own_installation.with_settings(
        sources_file=one_source_of_prices(tmp_path_factory.mktemp("sources") / "sources.yaml")
    )
    settings, hook = installation.settings, installation.hook
    assert hook is not None
    done = installation.touchline("run")
    assert done.returncode == 0, done.stderr
    address = f"http://127.0.0.1:{settings.running_port('sandbox', 0)}"
    with airflow_of(settings) as api:
        call("POST", address, "clock", {"now": LAST_ANSWER.isoformat()})
        api.trigger(names.COLLECT_FIXTURES, {"announce": False})
        look_at(LAST_ANSWER, address, api)
        n_before = len(hook.told)
        switch_fault(address, Fault.SERVER_ERRORS, 1.0, source=THE_ODDS_API)
        for hour in range(1, HOURS + 1):
            look_at(LAST_ANSWER + timedelta(hours=hour), address, api)
        alerts, down = hook.told[n_before:], shown(settings)
        switch_fault(address, NONE)
        look_at(LAST_ANSWER + timedelta(hours=HOURS + 1), address, api)
        yield Drill(settings, alerts, down, shown(settings))


def one_source_of_prices(path: Path) -> Path:
    configured = yaml.safe_load(DEFAULT_PATH.read_text())
    for name, source in configured["sources"].items():
        if name != THE_ODDS_API:
            source["gives"] = [kind for kind in source["gives"] if kind != "odds"]
    path.write_text(yaml.safe_dump(configured))
    return path


def look_at(moment: datetime, address: str, api: AirflowApi) -> None:
    """It is `moment`; prices and results are collected, predictions are looked after, and what follows is done."""
    call("POST", address, "clock", {"now": moment.isoformat()})
    for dag_id in (names.COLLECT_ODDS, names.COLLECT_SCORES, names.WATCH_KICKOFFS):
        api.trigger(dag_id, {})
    deadline = time.monotonic() + SECONDS
    while api.active_runs() or api.n_queued_events() or api.active_runs():
        assert time.monotonic() < deadline, "the pipeline does not come to rest"
        time.sleep(1)


def shown(settings: Settings) -> dict[str, Any]:
    """What analysts, readers of the API and operators see."""
    api = f"http://127.0.0.1:{settings.running_port('api', 0)}"
    with connect(settings, "api") as connection:
        return {
            "view": rows(
                connection, "select * from analytics.upcoming_predictions where rests_on = 'prices'"
            ),
            "api": httpx.get(f"{api}/v1/predictions/upcoming", params={"limit": 500}).json()["predictions"],
            "ready": httpx.get(f"{api}/v1/health/ready").json(),
            "board": httpx.get(api).text,
            "notices": rows(connection, "select * from ops.notice order by notice_id"),
        }


def test_every_match_has_its_prediction_an_hour_before_kick_off(drill: Drill):
    ended = LAST_ANSWER + timedelta(hours=HOURS)
    with connect(drill.settings, "api") as connection:
        found = rows(
            connection,
            "select match.kickoff_at, min(predicted_at) as predicted_at from core.match left join ledger.prediction "
            "on prediction.match_id = match.match_id and role = 'champion' "
            "where match.kickoff_at > %s and match.kickoff_at <= %s and match.status in ('scheduled', 'played') "
            "group by match.match_id, match.kickoff_at",
            (LAST_ANSWER, ended + timedelta(hours=1)),
        )
    assert len(found) > 10
    for match in found:
        assert match["predicted_at"] <= match["kickoff_at"] - PREDICTED_BEFORE
    with connect(drill.settings, "api") as connection:
        watched = rows(
            connection,
            "select status from ops.pipeline_run where step = %s and as_of > %s and as_of <= %s",
            (names.PREDICTED_IN_TIME, LAST_ANSWER, ended),
        )
    assert len(watched) == HOURS
    assert {each["status"] for each in watched} == {"success"}


def test_what_comes_of_the_other_sources_is_predicted_from_the_last_prices(drill: Drill):
    with connect(drill.settings, "ingest") as connection:
        answers = scalar(
            connection,
            "select count(*) from landing.payload where source = %s and observed_at > %s and observed_at <= %s",
            (THE_ODDS_API, LAST_ANSWER, LAST_ANSWER + timedelta(hours=HOURS)),
        )
    with connect(drill.settings, "api") as connection:
        made = scalar(
            connection,
            "select count(*) from ledger.prediction where role = 'champion' and rests_on = 'prices' "
            "and predicted_at > %s and predicted_at <= %s",
            (LAST_ANSWER, LAST_ANSWER + timedelta(hours=HOURS)),
        )
    assert answers == 0
    assert made > 0


def test_predictions_are_marked_stale_with_the_age_of_their_prices_until_the_source_answers(drill: Drill):
    assert drill.down["view"]
    for row in drill.down["view"]:
        assert (row["is_stale"], row["prices_as_of"]) == (True, LAST_ANSWER)
    told = [each for each in drill.down["api"] if each["rests_on"] == "prices"]
    assert told
    assert {(each["is_stale"], each["prices_as_of"]) for each in told} == {(True, "2026-03-14T06:00:00Z")}
    assert "prices of 14 Mar, 06:00" in drill.down["board"]
    assert drill.down["ready"]["status"] == "degraded"
    assert [each["subject"] for each in drill.down["ready"]["shortfalls"]] == ["odds"]
    assert not any(row["is_stale"] for row in drill.after["view"])
    assert not any(each["is_stale"] for each in drill.after["api"])
    assert drill.after["ready"]["status"] == "ok"


def test_operators_are_told_once_and_nobody_has_to_do_anything(drill: Drill):
    (alert,) = drill.alerts
    # Of whichever task met it first: the source, asked for odds or scores, or the verdict when it rested already.
    assert THE_ODDS_API in alert or "no source has given odds since 2026-03-14 06:00" in alert
    assert "To do: " in alert
    (notice,) = [each for each in drill.down["notices"] if each["closed_at"] is None]
    assert notice["n_times"] >= HOURS
    assert [each for each in drill.after["notices"] if each["closed_at"] is None] == []
