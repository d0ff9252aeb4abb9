"""The drill: what goes wrong is told, by its own alert alone, once, and told to be over.

Prometheus, Alertmanager, exporter, API and PostgreSQL are real; rules are the committed ones with shorter `for` times.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml
from psycopg.types.json import Jsonb

from alert_receivers import MailServer, Webhook, mail_server, webhook
from api_process import free_port
from predictions import prediction
from served_world import NOW, World
from touchline.clock import virtual_clock
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.ledger.prediction import append
from touchline.ledger.settle import settle_predictions
from touchline.monitoring.drift import judge_drift
from touchline.operations import alertmanager as configured
from touchline.operations.pipeline import run_step
from touchline.operations.steps import STEPS
from touchline.settings import PROJECT_ROOT, Notify, Settings
from watching import PROMETHEUS, alert_rules, alertmanager, await_that, installed, prometheus, running

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
# Burnley - Everton, which nobody has predicted.
UNPREDICTED = datetime.fromisoformat("2022-11-05T15:00+00:00")
INTERVAL = 1
# Longer than a machine that does other things keeps a scrape waiting.
FOR = "5s"
PATIENCE = 60


@dataclass(frozen=True)
class Drill:
    """A watched world: where Prometheus answers and what it is told, who was told what, the file with the run clock's
    present, the command that is the API, and since when there has been a drill (seconds since 1970)."""

    settings: Settings
    prometheus: str
    watcher: Path
    hook: Webhook
    mails: MailServer
    clock: Path
    api: list[str]
    begun_at: float

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.clock.read_text())

    def move_clock(self, to: datetime) -> None:
        """Let the run clock stand at another instant."""
        draft = self.clock.with_suffix(".draft")
        draft.write_text(to.isoformat())
        draft.replace(self.clock)

    def collect(self, at: datetime, *kinds: str) -> None:
        """Collect from the world's source as of an instant."""
        for kind in kinds:
            run_step(self.settings, STEPS[f"collect_{kind}"], f"drill-{at.isoformat()}", at)

    def query(self, expression: str) -> list[dict[str, Any]]:
        reply = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": expression}).raise_for_status()
        found: list[dict[str, Any]] = reply.json()["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """Alerts that fire now."""
        return {each["metric"]["alertname"] for each in self.query('ALERTS{alertstate="firing"}')}

    def ever_fired(self) -> set[str]:
        """Alerts that have fired since the drill began."""
        return {
            each["metric"]["alertname"]
            for each in self.query('count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))')
        }

    def told(self) -> Counter[str]:
        """Subjects of all mails, without the name of the house."""
        return Counter(str(mail["Subject"]).removeprefix("Touchline ") for _, mail in self.mails.mails)

    def evaluations_until_pending(self, alert: str) -> float:
        """How often the group of an alert was evaluated from when its condition held until it was pending."""
        rule = next(each for each in alert_rules() if each["alert"] == alert)
        asked = {"query": rule["expr"], "start": self.begun_at, "end": time.time(), "step": INTERVAL}
        found = httpx.get(f"{self.prometheus}/api/v1/query_range", params=asked).raise_for_status().json()
        pending_at = min(at for at, _ in self.samples(f'ALERTS{{alertname="{alert}"}}'))
        # Asked second by second, which one that has only just begun to hold does not show.
        held_at = min((each["values"][0][0] for each in found["data"]["result"]), default=pending_at)
        counted = self.samples(f'prometheus_rule_group_iterations_total{{rule_group=~".*;{rule["group"]}"}}')

        def count(until: float) -> float:
            return max((float(value) for at, value in counted if at <= until), default=0)

        return count(pending_at) - count(held_at)

    def samples(self, selector: str) -> list[tuple[float, str]]:
        """All samples that Prometheus has of these series: when, and what."""
        return [(at, value) for each in self.query(f"{selector}[1h]") for at, value in each["values"]]


@pytest.fixture(scope="module")
def drill(module_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    for name in ("prometheus", "alertmanager"):
        installed(name)
    folder, settings = tmp_path_factory.mktemp("drill"), module_world.settings
    place, port = folder / "prometheus", free_port()
    with ExitStack() as stack:
        hook, mails = stack.enter_context(webhook()), stack.enter_context(mail_server())
        notify = Notify(webhook=hook.address, email="ann@example.org", smtp=f"smtp://127.0.0.1:{mails.port}")
        command = [sys.executable, "-m", "touchline.serving", "--port", str(free_port())]
        drill = Drill(settings, "", place, hook, mails, folder / "clock", command, time.time())
        drill.move_clock(NOW)
        drill.collect(NOW - HOUR, "fixtures", "odds", "scores")
        variables = {
            **os.environ, **settings.environment(), **settings.passwords("metrics"),
            "PYTHONPATH": os.pathsep.join(str(PROJECT_ROOT / each) for each in ("include", "tests")),
        }  # fmt: skip
        exporter = [
            sys.executable,
            str(PROJECT_ROOT / "tests" / "drill_exporter.py"),
            str(port),
            str(drill.clock),
        ]
        stack.enter_context(running(exporter, f"http://127.0.0.1:{port}", "/live", variables))
        manager = stack.enter_context(alertmanager(impatient_receivers(settings, notify, folder)))
        configuration = impatient_rules(place)
        write_target(place, "exporter", port)
        write_target(place, "alertmanager", manager.rpartition(":")[2])
        address = stack.enter_context(prometheus(configuration))
        # It counts its evaluations.
        write_target(place, "prometheus", address.rpartition(":")[2])
        yield replace(drill, prometheus=address)


def impatient_receivers(settings: Settings, notify: Notify, folder: Path) -> Path:
    """Alertmanager's configuration with its real receivers, which tells at once."""
    path = configured.write_configuration(settings.model_copy(update={"notify": notify, "home": folder}))
    told = yaml.safe_load(path.read_text())
    for route in (told["route"], *told["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    path.write_text(yaml.safe_dump(told))
    return path


def impatient_rules(place: Path) -> Path:
    """Prometheus' configuration with short intervals, and the rules, of which only the `for` times are shorter."""
    shutil.copytree(PROMETHEUS, place, ignore=shutil.ignore_patterns("tests", "targets"))
    for path in (place / "rules").iterdir():
        path.write_text(re.sub(r"^( +for:) \w+$", rf"\1 {FOR}", path.read_text(), flags=re.MULTILINE))
    told = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    told["global"] = dict.fromkeys(told["global"], f"{INTERVAL}s")
    (place / "prometheus.yml").write_text(yaml.safe_dump(told))
    (place / "targets").mkdir()
    return place / "prometheus.yml"


def write_target(place: Path, job: str, port: object) -> None:
    """Tell Prometheus what to ask, from now on."""
    (place / "targets" / f"{job}.yml").write_text(yaml.safe_dump([{"targets": [f"127.0.0.1:{port}"]}]))


@contextmanager
def api(drill: Drill) -> Iterator[None]:
    """The read API, killed in the end."""
    settings = drill.settings
    variables = {
        **os.environ, **settings.environment(), **settings.access.environment(), **settings.passwords("api", "access"),
        "PYTHONPATH": str(PROJECT_ROOT / "include"),
    }  # fmt: skip
    with running(drill.api, f"http://127.0.0.1:{drill.api[-1]}", "/v1/health/live", variables):
        yield


@contextmanager
def connections(settings: Settings, share: float) -> Iterator[None]:
    """As many sessions as take this share of all that the server accepts."""
    with ExitStack() as stack:
        counting = stack.enter_context(open_url(settings.admin_url, autocommit=True))
        most = int(scalar(counting, "show max_connections"))
        taken = int(
            scalar(counting, "select count(*) from pg_stat_activity where backend_type = 'client backend'")
        )
        # The exporter does not count its own.
        for _ in range(round(most * share) + 1 - taken):
            stack.enter_context(open_url(settings.admin_url))
        yield


def play_week(settings: Settings, before: datetime, n_a_day: int, share_right: float, first: int) -> None:
    """Seven days of predictions, each made a day before its kick-off, of which only a share comes in; then settled."""
    with connect(settings, "transform") as connection:
        (match,) = rows(connection, "select * from core.match where not is_played limit 1")
        (result,) = rows(connection, "select * from core.match_result limit 1")
        matches = [
            {
                "match_id": f"00000000-0000-0000-0001-{first + 7 * number + day:012d}",
                "kickoff_at": before - timedelta(days=day, hours=3),
            }
            for day in range(1, 8)
            for number in range(n_a_day)
        ]
        insert(connection, "core.match", match, matches)
    made = [
        prediction(
            **{name: match[name] for name in ("competition", "season", "home_team", "away_team")}, **each,
            predicted_at=each["kickoff_at"] - timedelta(days=1), features_as_of=each["kickoff_at"] - timedelta(days=1),
            model_name=settings.model_name, p_home=0.65, p_draw=0.2, p_away=0.15,
        ) | {"features": "{}", "scoreline_grid": np.array([[0.5, 0.2], [0.3, 0.0]])}
        for each in matches
    ]  # fmt: skip
    assert append(settings, made).n_written == len(made)
    n_right = round(share_right * len(matches))
    with connect(settings, "transform") as connection:
        ids = [each["match_id"] for each in matches]
        connection.execute("update core.match set is_played = true where match_id = any(%s::uuid[])", (ids,))
        results = [
            {
                "match_id": each["match_id"], "known_at": each["kickoff_at"] + timedelta(hours=2),
                "home_goals": int(number < n_right), "away_goals": int(number >= n_right),
                "outcome": "home" if number < n_right else "away",
            }
            for number, each in enumerate(matches)
        ]  # fmt: skip
        insert(connection, "core.match_result", result, results)
    assert settle_predictions(settings, virtual_clock(before), "drill").n_champion == len(made)


def insert(connection: Any, table: str, like: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    """Rows of a table that are like one of it, but for some columns."""
    (key,) = like.keys() & {"match_id"}
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into {table} select (jsonb_populate_record(old, %s)).* from {table} as old where {key} = %s",
            [(Jsonb({name: str(value) for name, value in each.items()}), like[key]) for each in changes],
        )


def expect(drill: Drill, alert: str, title: str, what: str) -> None:
    """The alert is pending within two evaluations, fires, alone, and is told."""
    await_that(lambda: drill.firing() == {alert}, f"{what}: {alert} fires", PATIENCE)
    await_that(lambda: drill.told()[title] == 1, f"{what}: {title} is told", PATIENCE)
    assert drill.evaluations_until_pending(alert) <= 2


def expect_end(drill: Drill, over: str) -> None:
    """Nothing fires, and the end is told."""
    await_that(lambda: drill.firing() == set(), "nothing fires", PATIENCE)
    await_that(lambda: drill.told()[over] == 1, f"{over} is told", PATIENCE)


def test_each_trouble_raises_its_own_alert_which_is_told_once_and_ends(drill: Drill):
    settings = drill.settings
    with api(drill):
        write_target(drill.watcher, "api", drill.api[-1])
        jobs = {"api", "exporter", "alertmanager", "prometheus"}
        await_that(
            lambda: {each["metric"]["job"] for each in drill.query("up == 1")} == jobs, "all is up", PATIENCE
        )
    expect(drill, "ApiDown", "P1: ApiDown", "the API was killed")
    with api(drill):
        expect_end(drill, "P1 over: ApiDown")

        with connections(settings, 0.81):
            expect(drill, "DatabaseConnectionsHigh", "P2: DatabaseConnectionsHigh", "81 % of the connections")
        expect_end(drill, "P2 over: DatabaseConnectionsHigh")

        play_week(settings, NOW, 20, share_right=0.3, first=0)
        alarms = judge_drift(settings, virtual_clock(NOW), "drill", []).alarms
        assert ("confident_picks", "floor") in {(each.metric, each.subject) for each in alarms}
        expect(drill, "PredictionQuality", "P1: PredictionQuality", "a week of bad predictions")
        play_week(settings, NOW, 40, share_right=1, first=1000)
        expect_end(drill, "P1 over: PredictionQuality")

        later = NOW + 8 * HOUR
        drill.collect(later - HOUR, "fixtures", "scores")
        drill.move_clock(later)
        expect(drill, "SourceStale", "P2: SourceStale", "the source of odds has stopped")
        drill.collect(later, "odds")
        expect_end(drill, "P2 over: SourceStale")

        due = UNPREDICTED - HOUR
        drill.collect(due - HOUR, "fixtures", "odds", "scores")
        drill.move_clock(due)
        expect(
            drill, "PredictionsMissing", "P1: PredictionsMissing E0", "nobody has predicted Burnley - Everton"
        )
        with connect(settings, "model") as connection:
            (match,) = rows(connection, "select * from core.match where kickoff_at = %s", (UNPREDICTED,))
        names = ("match_id", "competition", "season", "home_team", "away_team", "kickoff_at")
        made = prediction(
            **{name: match[name] for name in names}, predicted_at=due, features_as_of=due
        ) | {"features": "{}", "scoreline_grid": np.array([[0.5, 0.2], [0.3, 0.0]])}  # fmt: skip
        assert append(settings, [made]).n_written == 1
        expect_end(drill, "P1 over: PredictionsMissing E0")

    alerts = {"ApiDown", "DatabaseConnectionsHigh", "PredictionQuality", "SourceStale", "PredictionsMissing"}
    assert drill.ever_fired() == alerts
    assert drill.told() == Counter(
        f"{severity}{state}: {alert}"
        for alert, severity in {
            "ApiDown": "P1", "DatabaseConnectionsHigh": "P2", "PredictionQuality": "P1", "SourceStale": "P2",
            "PredictionsMissing E0": "P1",
        }.items()
        for state in ("", " over")
    )  # fmt: skip
    # A ticket is a mail alone.
    pages = [text.partition("\n")[0] for text in drill.hook.told]
    assert pages == [
        f"Touchline P1{state}: {alert}"
        for alert in ("ApiDown", "PredictionQuality", "PredictionsMissing E0")
        for state in ("", " over")
    ]
