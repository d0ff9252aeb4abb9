"""What Prometheus and Alertmanager are told: valid, proved alert by alert, and each alert with a page that helps."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.main import get_command

from touchline.cli import app
from touchline.settings import PROJECT_ROOT
from watching import ALERTMANAGER, PROMETHEUS, alert_rules, alertmanager, await_that, installed

RUNBOOKS = PROJECT_ROOT / "docs" / "runbooks"
PARTS = ("What it means", "How to look", "What to do", "How to prove that it is over")
ALERTS = sorted({rule["alert"] for rule in alert_rules()})


def told(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_configuration_and_the_rules():
    promtool = installed("promtool")
    assert "5 rule files found" in told(promtool, "check", "config", str(PROMETHEUS / "prometheus.yml"))
    told(promtool, "check", "rules", *map(str, sorted((PROMETHEUS / "rules").glob("*.yml"))))


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((PROMETHEUS / "tests").glob("*.yml")), ids=lambda path: path.stem)
def test_every_alert_fires_not_at_the_edge_and_resolves(path: Path):
    told(installed("promtool"), "test", "rules", str(path))


def test_every_alert_has_all_three_cases():
    """For each alert: the case and when it is looked at (by promtool), with the number of alerts that are expected."""
    cases: defaultdict[str, list[tuple[str, list[int]]]] = defaultdict(list)
    for path in (PROMETHEUS / "tests").glob("*.yml"):
        for case in yaml.safe_load(path.read_text())["tests"]:
            alert, _, claim = case["name"].partition(": ")
            looks = case["alert_rule_test"]
            assert {look["alertname"] for look in looks} == {alert}, case["name"]
            cases[alert].append((claim, [len(look.get("exp_alerts", ())) for look in looks]))
    assert sorted(cases) == ALERTS
    for alert, found in cases.items():
        assert any(claim.startswith("at the edge") and not any(n) for claim, n in found), f"{alert}: edge"
        assert any(any(n) for _, n in found), f"{alert}: fires"
        assert any(any(n) and n[-1] == 0 for _, n in found), f"{alert}: resolves"


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule["alert"])
def test_every_alert_says_how_bad_whose_what_and_where_help_is(rule: dict[str, Any]):
    assert rule["labels"]["severity"] in ("P1", "P2")
    assert rule["labels"]["owner"] == "touchline"
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/runbooks/{rule['alert']}.md"


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    assert sorted(path.stem for path in RUNBOOKS.glob("*.md")) == ALERTS


@pytest.mark.parametrize("alert", ALERTS)
def test_a_runbook_has_its_four_parts_and_names_commands_that_exist(alert: str):
    text = (RUNBOOKS / f"{alert}.md").read_text()
    assert text.startswith(f"# {alert}\n")
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == PARTS
    commands = list(commands_in(text))
    assert commands
    for command in commands:
        assert problem_of(command) is None, command


def commands_in(text: str) -> Iterator[str]:
    """What is to be typed: lines of shell blocks, and words between backticks that begin with our command or make."""
    for block in re.findall(r"^```sh\n(.+?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`((?:touchline|make) [^`]+)`", text)


def problem_of(command: str) -> str | None:
    """Why a command cannot be typed like this; None when it can."""
    if any(problem_of(inner) for inner in re.findall(r"\$\((.+?)\)", command)):
        return "what it rests on cannot be typed"
    program, *arguments = shlex.split(command)
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE)
        return None if arguments[0] in targets else "no such target"
    if program != "touchline":
        return (
            None
            if program in ("psql", "curl", "df", "free", "top", "ss", "du", "ps")
            else "not a known program"
        )
    found: Any = get_command(app)
    while arguments:
        word = arguments.pop(0)
        if word.startswith("-"):
            known = [name for each in found.params for name in (*each.opts, *each.secondary_opts)]
            if word not in known:
                return f"no option {word}"
        elif hasattr(found, "commands") or hasattr(found, "_module"):
            found = inside(found)
            if word in getattr(found, "commands", {}):
                found = inside(found.commands[word])
            elif getattr(found, "commands", {}):
                return f"no command {word}"
    return None


def inside(command: Any) -> Any:
    """A command that is imported when it runs, as it then is."""
    if not hasattr(command, "_module"):
        return command
    return command.make_context(command.name, ["--help"], resilient_parsing=True).command


def test_a_runbook_cannot_name_what_is_not_there():
    assert problem_of("touchline sources") is None
    assert problem_of("touchline quality release E0 --reason because") is None
    assert problem_of("make monitoring") is None
    for wrong in (
        "touchline sorces",
        "touchline quality relase E0",
        "touchline drift --week",
        "make monitor",
        "lsof",
    ):
        assert problem_of(wrong) is not None, wrong


def test_alertmanager_takes_its_configuration():
    told(installed("amtool"), "check-config", str(ALERTMANAGER / "alertmanager.yml"))


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule["alert"])
def test_what_pages_goes_to_the_pager_and_what_can_wait_to_the_tickets(rule: dict[str, Any]):
    labels = [f"{name}={value}" for name, value in {"alertname": rule["alert"], **rule["labels"]}.items()]
    configuration = ("--config.file", str(ALERTMANAGER / "alertmanager.yml"))
    receiver = told(installed("amtool"), "config", "routes", "test", *configuration, *labels).strip()
    assert receiver == {"P1": "page", "P2": "ticket"}[rule["labels"]["severity"]]


OF_EXPORTER = {
    "BackupOverdue", "PredictionsMissing", "PredictionQuality", "SourceStale", "AssetStale", "CompetitionHeld",
    "DatabaseConnectionsHigh", "MlflowDown", "SchedulerDown", "MetricsQueryFailing",
}  # fmt: skip
OF_API = {
    "ApiErrorBudgetBurn 1h",
    "ApiErrorBudgetBurn 6h",
    "ApiLatencyBudgetBurn 1h",
    "ApiLatencyBudgetBurn 6h",
}
EXPLAINED = {
    "DatabaseDown": OF_EXPORTER | OF_API | {"ApiDown"},
    "ExporterDown": OF_EXPORTER | {"DatabaseDown"},
    "ApiDown": OF_API,
    "ApiErrorBudgetBurn 1h": {"ApiErrorBudgetBurn 6h"},
    "ApiLatencyBudgetBurn 1h": {"ApiLatencyBudgetBurn 6h"},
}


def name_of(labels: dict[str, str]) -> str:
    return " ".join(filter(None, (labels["alertname"], labels.get("window"))))


@pytest.mark.slow
@pytest.mark.parametrize("cause", EXPLAINED)
def test_a_cause_keeps_back_what_it_explains_and_nothing_else(cause: str, tmp_path: Path):
    for name in ("alertmanager.yml", "touchline.tmpl"):
        shutil.copy(ALERTMANAGER / name, tmp_path)
    others = EXPLAINED.keys() - EXPLAINED[cause] - {cause}
    fired = [{"alertname": rule["alert"], **rule["labels"]} for rule in alert_rules()]
    alerts = [{"labels": labels} for labels in fired if name_of(labels) not in others]
    # A cause that is kept back itself explains as before.
    explained = (
        EXPLAINED[cause].union(*(EXPLAINED[each] for each in EXPLAINED[cause] & EXPLAINED.keys())) - others
    )
    with alertmanager(tmp_path / "alertmanager.yml") as address:

        def kept_back() -> set[str]:
            found = httpx.get(f"{address}/api/v2/alerts", params={"active": "false"}).json()
            return {name_of(alert["labels"]) for alert in found}

        httpx.post(f"{address}/api/v2/alerts", json=alerts).raise_for_status()
        await_that(lambda: kept_back() == explained, f"{kept_back()} are {explained}")
