"""Maintenance: declared and ended by rows that nobody changes, followed by Alertmanager, and kept to by notices."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from alert_receivers import mail_server, webhook
from databases import copy_of
from installation import Installation
from scraping import scraped, series
from touchline.database.engine import connect
from touchline.errors import MaintenanceInvalid, ServiceFailed, SettingsInvalid
from touchline.operations import alertmanager as configured
from touchline.operations import maintenance
from touchline.operations.notices import Message, Notice, open_notice, send_notices
from touchline.settings import Notify, Settings
from watching import ALERTMANAGER, alertmanager, await_that

pytestmark = pytest.mark.slow

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALERT = [
    {
        "labels": {"alertname": "ApiDown", "severity": "P1", "instance": "a"},
        "annotations": {"summary": "down"},
    }
]


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Alertmanager; its address."""
    folder = tmp_path_factory.mktemp("alertmanager")
    for name in ("alertmanager.yml", "touchline.tmpl"):
        shutil.copy(ALERTMANAGER / name, folder)
    with alertmanager(folder / "alertmanager.yml") as address:
        yield address


def declare(
    settings: Settings, now: datetime = NOON, until: datetime = NOON + HOUR
) -> maintenance.Maintenance:
    return maintenance.declare(settings, "a new disk", "ann", now, until)


def test_it_lasts_as_long_as_was_said_and_no_longer(settings: Settings):
    declared = declare(settings)
    assert maintenance.current(settings, NOON) == declared
    assert maintenance.current(settings, NOON + HOUR - timedelta(seconds=1)) == declared
    assert maintenance.current(settings, NOON - timedelta(seconds=1)) is None
    assert maintenance.current(settings, NOON + HOUR) is None


def test_it_can_be_ended_before_and_declared_anew(settings: Settings):
    declare(settings)
    with pytest.raises(MaintenanceInvalid, match="ann has declared a maintenance until 2026-11-30 13:00 UTC"):
        declare(settings, NOON + HOUR / 2, NOON + 2 * HOUR)
    ended = maintenance.end(settings, "bob", NOON + HOUR / 2)
    assert (ended.ended_by, ended.ends_at) == ("bob", NOON + HOUR / 2)
    assert maintenance.current(settings, NOON + HOUR / 2) is None
    with pytest.raises(MaintenanceInvalid, match="no maintenance is in force"):
        maintenance.end(settings, "bob", NOON + HOUR / 2)
    again = declare(settings, NOON + HOUR / 2, NOON + 2 * HOUR)
    assert maintenance.last(settings, 10) == [again, ended]


@pytest.mark.parametrize("role", ["ingest", "transform", "model", "api"])
def test_no_task_declares_it_and_nobody_changes_it(settings: Settings, role: Any):
    declare(settings)
    for change in (
        "insert into ops.maintenance (reason, declared_by, starts_at, ends_at) values ('x', 'x', now(), now() + '1 h')",
        "insert into ops.maintenance_end select maintenance_id, 'x', now() from ops.maintenance",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connect(settings, role) as connection:
            connection.execute(change)
    for change in ("update ops.maintenance set ends_at = ends_at + '1 day'", "delete from ops.maintenance"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connect(settings, "owner") as connection:
            connection.execute(change)


def test_alertmanager_keeps_everything_back_meanwhile_and_only_then(settings: Settings, manager: str):
    told = settings.model_copy(update={"alertmanager_url": manager})
    now = datetime.now(UTC)

    def is_kept_back() -> bool:
        httpx.post(f"{manager}/api/v2/alerts", json=ALERT).raise_for_status()
        (alert,) = httpx.get(f"{manager}/api/v2/alerts").json()
        return bool(alert["status"]["silencedBy"])

    declared = declare(told, now, now + HOUR)
    assert not is_kept_back()
    assert maintenance.tell_alertmanager(told, now)
    assert maintenance.tell_alertmanager(told, now), "again changes nothing"
    (silence,) = configured.silences(manager)
    assert datetime.fromisoformat(silence["endsAt"]) - declared.ends_at < timedelta(seconds=1)
    assert silence["createdBy"] == "ann"
    assert silence["comment"].endswith(f"maintenance {declared.maintenance_id}: a new disk")
    await_that(is_kept_back, "the alert is kept back")
    maintenance.end(told, "ann", now + HOUR / 2)
    assert not maintenance.tell_alertmanager(told, now + HOUR / 2)
    assert configured.silences(manager) == []
    await_that(lambda: not is_kept_back(), "the alert is told again")


def test_silences_of_others_stay(settings: Settings, manager: str):
    told = settings.model_copy(update={"alertmanager_url": manager})
    until = datetime.now(UTC) + HOUR
    configured.silence_everything(manager, until, "carl", "maintenance of the other house")
    with copy_of(settings) as other:
        now = datetime.now(UTC)
        declare(other, now, until)
        maintenance.tell_alertmanager(other.model_copy(update={"alertmanager_url": manager}), now)
    maintenance.tell_alertmanager(told, datetime.now(UTC))
    found = configured.silences(manager)
    assert {each["createdBy"] for each in found} == {"carl", "ann"}
    for each in found:
        configured.end_silence(manager, each["id"])


def test_metrics_say_until_when_nobody_is_alerted(settings: Settings):
    until = series("maintenance_until_timestamp_seconds")
    assert scraped(settings, NOON)[until] == 0
    now = datetime.now(UTC)
    declared = declare(settings, now, now + HOUR)
    assert scraped(settings, NOON)[until] == pytest.approx(declared.ends_at.timestamp())
    maintenance.end(settings, "ann", datetime.now(UTC))
    assert scraped(settings, NOON)[until] == 0


def test_notices_are_kept_back_and_told_afterwards_if_they_are_still_open(settings: Settings):
    told: list[Message] = []
    channels = {"webhook": told.append}

    def fail(task: str) -> None:
        open_notice(
            settings, Notice("collect_odds", task, "run", "Failed", "no answer", (), "wait", "http://a")
        )

    now = datetime.now(UTC)
    declare(settings, now, now + HOUR)
    fail("first")
    fail("second")
    assert (send_notices(settings, channels), told) == ([], [])
    with connect(settings, "ingest") as connection:
        connection.execute("update ops.notice set closed_at = now() where task_id = 'first'")
    maintenance.end(settings, "ann", datetime.now(UTC))
    assert send_notices(settings, channels) == []
    assert [message.subject for message in told] == ["Touchline: collect_odds: second"]


def test_the_command_declares_shows_and_ends_and_says_what_holds_without_alertmanager(settings: Settings):
    nobody = Installation(settings).with_settings(alertmanager_url="http://127.0.0.1:1")
    started = nobody.touchline("maintenance", "start", "--for", "2h", "--reason", "a new disk", "--by", "ann")
    assert started.returncode == 3, started.stderr
    assert "Nobody is alerted until" in started.stdout
    assert "Alertmanager was not told" in started.stderr
    assert "Notices of DAGs are kept back all the same" in " ".join(started.stderr.split())
    assert "a new disk" in nobody.touchline("maintenance").stdout
    again = nobody.touchline("maintenance", "start", "--reason", "more", "--by", "bob")
    assert (again.returncode, "end it first" in " ".join(again.stderr.split())) == (1, True)
    assert nobody.touchline("maintenance", "end", "--by", "ann").returncode == 3
    assert "No maintenance is in force." in nobody.touchline("maintenance").stdout
    for wrong in (("--for", "2 hours"), ("--for", "8d"), ("--for", "0m")):
        assert nobody.touchline("maintenance", "start", "--reason", "x", *wrong).returncode == 2
    assert nobody.touchline("maintenance", "start", "--reason", " ").returncode == 2


def test_where_no_alertmanager_was_ever_started_nothing_is_amiss(settings: Settings):
    alone = Installation(settings)
    done = alone.touchline("maintenance", "start", "--reason", "a new disk")
    assert (done.returncode, done.stderr) == (0, "")
    assert alone.touchline("maintenance", "end").returncode == 0


def test_the_command_silences_a_manager_that_answers(settings: Settings, manager: str):
    told = Installation(settings).with_settings(alertmanager_url=manager)
    done = told.touchline("maintenance", "start", "--for", "30m", "--reason", "a new disk")
    assert done.returncode == 0, done.stderr
    assert len(configured.silences(manager)) == 1
    assert told.touchline("maintenance", "end").returncode == 0
    assert configured.silences(manager) == []


def test_without_an_alertmanager_the_error_says_where_it_was_asked(settings: Settings):
    with pytest.raises(ServiceFailed, match=r"Alertmanager at http://127\.0\.0\.1:1: "):
        maintenance.tell_alertmanager(
            settings.model_copy(update={"alertmanager_url": "http://127.0.0.1:1"}), NOON
        )


def test_receivers_are_those_of_the_dags_and_a_page_reaches_both_while_a_ticket_is_a_mail(tmp_path: Path):
    with webhook() as hook, mail_server() as mails:
        notify = Notify(webhook=hook.address, email="ann@example.org", smtp=f"smtp://127.0.0.1:{mails.port}")
        path = configured.write_configuration(Settings(home=tmp_path, notify=notify))
        assert hook.address not in path.read_text()
        assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
        told = yaml.safe_load(path.read_text())
        # Nobody waits for half a minute here.
        told["route"] |= {"group_wait": "0s", "group_interval": "1s"}
        told["route"]["routes"][0] |= {"group_wait": "0s", "group_interval": "1s"}
        path.write_text(yaml.safe_dump(told))
        ticket = {
            "labels": {"alertname": "SourceStale", "severity": "P2"}, "annotations": {"summary": "no odds for 8h"}
        }  # fmt: skip
        with alertmanager(path) as address:
            httpx.post(f"{address}/api/v2/alerts", json=[*ALERT, ticket]).raise_for_status()
            await_that(lambda: (len(hook.told), len(mails.mails)) == (1, 2), "each was told")
            over = [{**each, "endsAt": datetime.now(UTC).isoformat()} for each in [*ALERT, ticket]]
            httpx.post(f"{address}/api/v2/alerts", json=over).raise_for_status()
            await_that(lambda: (len(hook.told), len(mails.mails)) == (2, 4), "each is over")
        assert hook.told[0].startswith("Touchline P1: ApiDown\ndown\n")
        assert hook.told[1].startswith("Touchline P1 over: ApiDown\nOver since ")
        subjects = sorted(str(mail["Subject"]) for _, mail in mails.mails)
        assert subjects == [
            "Touchline P1 over: ApiDown", "Touchline P1: ApiDown",
            "Touchline P2 over: SourceStale", "Touchline P2: SourceStale",
        ]  # fmt: skip
        assert all(recipients == ["ann@example.org"] for recipients, _ in mails.mails)


@pytest.mark.parametrize(
    ("notify", "kinds"),
    [
        ({}, ([], [])),
        ({"webhook": "https://hooks.example/T0"}, (["slack_configs"], ["slack_configs"])),
        (
            {"email": "ann@example.org", "smtp": "smtp+starttls://u%40x:p%2Fw@mail.example"},
            (["email_configs"], ["email_configs"]),
        ),
    ],
)
def test_receivers_of_less(notify: dict[str, str], kinds: tuple[list[str], list[str]], tmp_path: Path):
    path = configured.write_configuration(Settings(home=tmp_path, notify=Notify(**notify)))
    receivers = {each.pop("name"): each for each in yaml.safe_load(path.read_text())["receivers"]}
    assert (list(receivers["page"]), list(receivers["ticket"])) == kinds
    for mail in receivers["page"].get("email_configs", ()):
        assert (mail["smarthost"], mail["require_tls"], mail["auth_username"]) == (
            "mail.example:587",
            True,
            "u@x",
        )
        assert Path(mail["auth_password_file"]).read_text() == "p/w"
    with alertmanager(path):
        pass


def test_a_mail_server_that_alertmanager_cannot_use_is_refused(tmp_path: Path):
    notify = Notify(email="ann@example.org", smtp="smtps://mail.example:4650")
    with pytest.raises(SettingsInvalid, match="smtps at port 465"):
        configured.write_configuration(Settings(home=tmp_path, notify=notify))
