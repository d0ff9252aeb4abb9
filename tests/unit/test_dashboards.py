"""Grafana's dashboards: the committed files are what is described, and say what an operator needs to know."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
import yaml
from described.__main__ import BEGIN, DASHBOARDS, END, FOLDER, PAGE, files, table
from described.panels import RUNBOOKS, SCREEN, Dashboard, Panel, as_json

from touchline.exporter.catalogue import read_catalogue
from touchline.settings import PROJECT_ROOT
from watching import alert_rules

GRAFANA = PROJECT_ROOT / "docker" / "grafana"
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
PANELS = [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard.panels]


@pytest.fixture(params=PANELS, ids=lambda each: f"{each[0].uid}-{each[1].title}")
def panel(request: pytest.FixtureRequest) -> Panel:
    found: Panel = request.param[1]
    return found


@pytest.fixture(params=DASHBOARDS, ids=lambda each: each.uid)
def dashboard(request: pytest.FixtureRequest) -> Dashboard:
    found: Dashboard = request.param
    return found


def test_the_files_are_what_is_described():
    assert {path: path.read_text() for path in FOLDER.iterdir()} == files(), "run `make dashboards`"


def test_the_page_lists_every_panel():
    def but_for_values(text: str) -> list[str]:
        return [line.rpartition(" | ")[0] for line in text.splitlines() if line.startswith("| ")]

    told = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert but_for_values(told) == but_for_values("\n".join(table(lambda query: [], ""))), "make dashboards"


def test_there_are_the_dashboards_that_were_asked_for():
    titles = [dashboard.title for dashboard in DASHBOARDS]
    assert titles == ["Forecasts", "Pipeline", "API", "Database and system", "Alert history"]


def test_a_panel_says_what_is_normal_and_leads_to_the_runbook_of_its_alert(panel: Panel):
    assert panel.text.endswith(".")
    assert panel.unit
    if panel.alert:
        assert (PROJECT_ROOT / "docs" / "runbooks" / f"{panel.alert}.md").exists()
        assert panel.alert in {rule["alert"] for rule in alert_rules()}


def test_limits_are_those_of_the_alerts(panel: Panel):
    limit = panel.bad_above if panel.bad_above is not None else panel.bad_below
    # A count of what should be none, what is up or not, and a share of what is promised begin at 1.
    if not panel.alert or limit in (None, 1):
        return
    rules = [rule for rule in alert_rules() if rule["alert"] == panel.alert]
    told = " ".join(f"{rule['expr']} {rule['annotations']}" for rule in rules)
    assert limit in {float(each) for each in NUMBER.findall(told)}


def test_every_metric_is_on_a_panel_and_every_metric_on_a_panel_exists():
    of_exporter = {metric.name for _, metric in read_catalogue().metrics()}
    of_api = {"touchline_api_requests_total", "touchline_api_request_seconds"}
    queries = " ".join(query for _, panel in PANELS for query in panel.queries.values())
    shown = {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"(?<!:)\btouchline_\w+", queries)
    }
    assert shown == of_exporter | of_api


def test_every_alert_is_of_a_panel():
    # No panel can be of a backup before there is one.
    without = {rule["alert"] for rule in alert_rules()} - {panel.alert for _, panel in PANELS}
    assert without == {"BackupOverdue", "NodeExporterDown"}


def test_panels_lie_beside_and_below_each_other(dashboard: Dashboard):
    found = as_json(dashboard)["panels"]
    assert len({each["id"] for each in found}) == len(found)
    squares = [
        (x, y)
        for each in found
        for place in [each["gridPos"]]
        for x, y in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]
    assert len(set(squares)) == len(squares)
    assert {x for x, _ in squares} <= set(range(SCREEN))
    first = [each for each in found if each["type"] != "row"][: len(next(iter(dashboard.rows.values())))]
    assert {each["type"] for each in first} == {"stat"}, "the most important figures come first"


def test_every_variable_is_used_and_every_used_one_is_there(dashboard: Dashboard):
    queries = " ".join(query for panel in dashboard.panels for query in panel.queries.values())
    assert set(re.findall(r"\$(\w+)", queries)) == {each.name for each in dashboard.variables}
    assert "$" not in dashboard.filled(queries)


def committed(*path: str) -> Any:
    return yaml.safe_load(GRAFANA.joinpath(*path).read_text())


def test_grafana_finds_its_source_its_dashboards_and_the_runbooks():
    compose = yaml.safe_load((PROJECT_ROOT / "docker" / "compose.yaml").read_text())
    service = compose["services"]["grafana"]
    mounted = dict(each.split(":")[:2] for each in service["volumes"])
    where = {inside: outside for outside, inside in mounted.items()}
    (provider,) = committed("provisioning", "dashboards", "touchline.yml")["providers"]
    assert where[provider["options"]["path"]] == "./grafana/dashboards"
    assert where["/etc/grafana/provisioning"] == "./grafana/provisioning"
    assert where[f"/usr/share/grafana{RUNBOOKS}"] == "../docs/runbooks"
    (source,) = committed("provisioning", "datasources", "prometheus.yml")["datasources"]
    used = {
        target["datasource"]["uid"]
        for path in FOLDER.iterdir()
        for each in json.loads(path.read_text())["panels"]
        for target in each.get("targets", [])
    }
    assert used == {source["uid"]}
    assert source["url"] == "${PROMETHEUS_ADDRESS}"
    assert service["environment"]["PROMETHEUS_ADDRESS"].startswith("http://prometheus:")


def test_nobody_gets_into_grafana_without_the_password_in_the_file():
    compose = yaml.safe_load((PROJECT_ROOT / "docker" / "compose.yaml").read_text())
    service = compose["services"]["grafana"]
    assert service["profiles"] == ["monitoring"]
    assert all(each.startswith("127.0.0.1:") for each in service["ports"])
    given = service["environment"]
    assert given["GF_AUTH_ANONYMOUS_ENABLED"] == given["GF_USERS_ALLOW_SIGN_UP"] == "false"
    (secret,) = service["secrets"]
    assert given["GF_SECURITY_ADMIN_PASSWORD__FILE"] == f"/run/secrets/{secret}"
    assert "file" in compose["secrets"][secret]
    assert not any("PASSWORD" in name and not name.endswith("__FILE") for name in given)
