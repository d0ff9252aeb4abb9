"""What a dashboard consists of, and how Grafana 11 and later want it as JSON (schema version 39)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Literal

SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
# Of the folder docs/runbooks, as docker/compose.yaml mounts it into what Grafana serves.
RUNBOOKS: Final = "/public/runbooks"
SCREEN: Final = 24
GOOD, BAD, NEUTRAL = "green", "red", "text"
Kind = Literal["stat", "timeseries", "bargauge", "table", "state-timeline"]
# Columns that say only where a figure was read.
OF_THE_SCRAPE: Final = ("Time", "__name__", "job", "instance")
HEIGHTS: Final[Mapping[Kind, int]] = {"stat": 4}
HEIGHT: Final = 8


@dataclass(frozen=True)
class Panel:
    """One panel: what it shows, what is normal and what to do otherwise, and its queries by legend.

    `bad_above` and `bad_below` are where an alert begins, named by `alert`, whose runbook the panel then leads to.
    """

    title: str
    text: str
    queries: Mapping[str, str]
    unit: str
    kind: Kind = "timeseries"
    bad_above: float | None = None
    bad_below: float | None = None
    alert: str = ""
    width: int = 8
    decimals: int | None = None


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a dashboard: of fixed `values`, or of the values of a label (`of`, a PromQL selector)."""

    name: str
    values: Sequence[str] = ()
    of: str = ""

    @property
    def first(self) -> str:
        """What is chosen at first."""
        return self.values[0] if self.values else ".*"


@dataclass(frozen=True)
class Dashboard:
    """Panels in rows; the first row has the most important figures."""

    uid: str
    title: str
    text: str
    rows: Mapping[str, Sequence[Panel]]
    variables: Sequence[Variable] = field(default=())

    @property
    def panels(self) -> Iterator[Panel]:
        """All of them, in their order."""
        for panels in self.rows.values():
            yield from panels

    def filled(self, query: str) -> str:
        """A query with what is chosen at first in its variables."""
        for variable in self.variables:
            query = query.replace(f"${variable.name}", variable.first)
        return query


def age(metric: str) -> str:
    """PromQL of how long ago something was by the run clock, in seconds, for each series of a metric."""
    return f"touchline_run_clock_timestamp_seconds - on (job, instance) group_right () {metric}"


def or_none(query: str) -> str:
    """PromQL of a query, or 0 when it finds nothing: where there is only something when something is wrong."""
    return f"{query} or on () vector(0)"


def an_hour(metric: str, by: str = "") -> str:
    """PromQL of a counter: how many came in an hour, by a label or in all."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}[1h])) * 3600"


def stat(
    title: str, query: str, unit: str, text: str, *, legend: str = "", width: int = 4, **more: Any
) -> Panel:
    """One important figure."""
    return Panel(title, text, {legend: query}, unit, "stat", width=width, **more)


def as_json(dashboard: Dashboard) -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    return {
        "uid": f"touchline-{dashboard.uid}",
        "title": dashboard.title,
        "description": dashboard.text,
        "tags": ["touchline"],
        "schemaVersion": 39,
        "editable": False,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "graphTooltip": 1,
        "links": [
            {"type": "dashboards", "tags": ["touchline"], "title": "Touchline", "asDropdown": False, "keepTime": True}
        ],
        "annotations": {
            "list": [
                {
                    "name": "alerts", "datasource": SOURCE, "enable": True, "iconColor": "red",
                    "expr": 'ALERTS{alertstate="firing"}', "titleFormat": "{{alertname}}",
                    "tagKeys": "severity", "step": "60s",
                }
            ]
        },
        "templating": {"list": [_variable(each) for each in dashboard.variables]},
        "panels": list(_placed(dashboard)),
    }  # fmt: skip


def _variable(variable: Variable) -> dict[str, Any]:
    if variable.values:
        options = [
            {"text": each, "value": each, "selected": number == 0}
            for number, each in enumerate(variable.values)
        ]
        return {
            "name": variable.name, "type": "custom", "query": ",".join(variable.values), "options": options,
            "current": options[0],
        }  # fmt: skip
    return {
        "name": variable.name, "type": "query", "datasource": SOURCE, "refresh": 2, "sort": 1, "includeAll": True,
        "allValue": variable.first, "current": {"text": "All", "value": "$__all"},
        "query": {"query": f"label_values({variable.of}, {variable.name})", "refId": variable.name},
    }  # fmt: skip


def _placed(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    """Rows and panels with their places, from left to right and from top to bottom."""
    ids, y = count(1), 0
    for title, panels in dashboard.rows.items():
        place = {"x": 0, "y": y, "w": SCREEN, "h": 1}
        yield {
            "id": next(ids),
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": place,
        }
        x, y, tallest = 0, y + 1, 0
        for panel in panels:
            height = HEIGHTS.get(panel.kind, HEIGHT)
            if x + panel.width > SCREEN:
                x, y, tallest = 0, y + tallest, 0
            yield {
                "id": next(ids),
                **_panel(panel),
                "gridPos": {"x": x, "y": y, "w": panel.width, "h": height},
            }
            x, tallest = x + panel.width, max(tallest, height)
        y += tallest


def _panel(panel: Panel) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": panel.kind,
        "title": panel.title,
        "description": text_of(panel),
        "datasource": SOURCE,
        "targets": [
            {
                "refId": "ABCDEFGH"[number], "datasource": SOURCE, "expr": query, "legendFormat": legend or "__auto",
                "instant": panel.kind in ("stat", "bargauge", "table"),
                "range": panel.kind in ("timeseries", "state-timeline"),
                "format": "table" if panel.kind == "table" else "time_series",
            }
            for number, (legend, query) in enumerate(panel.queries.items())
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        "links": [
            {"title": f"Runbook of {panel.alert}", "url": f"{RUNBOOKS}/{panel.alert}.md", "targetBlank": True}
        ] if panel.alert else [],
    }  # fmt: skip
    if panel.kind == "table":
        without = dict.fromkeys(OF_THE_SCRAPE, True)
        shown["transformations"] = [{"id": "organize", "options": {"excludeByName": without}}]
    return shown


def text_of(panel: Panel) -> str:
    """The description of a panel, with where its runbook is."""
    return f"{panel.text} Runbook: docs/runbooks/{panel.alert}.md." if panel.alert else panel.text


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": NEUTRAL, "value": None}]
    if panel.bad_above is not None:
        steps = [{"color": GOOD, "value": None}, {"color": BAD, "value": panel.bad_above}]
    if panel.bad_below is not None:
        steps = [{"color": BAD, "value": None}, {"color": GOOD, "value": panel.bad_below}]
    has_limit = len(steps) > 1
    by_limit = panel.kind != "timeseries"
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "thresholds" if by_limit else "palette-classic"},
    }
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if not by_limit:
        defaults["custom"] = {
            "lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": False,
            "thresholdsStyle": {"mode": "line" if has_limit else "off"},
        }  # fmt: skip
    return defaults


def _options(panel: Panel) -> dict[str, Any]:
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match panel.kind:
        case "stat":
            return {"reduceOptions": last, "colorMode": "value", "graphMode": "none", "textMode": "auto"}
        case "bargauge":
            return {
                "reduceOptions": last,
                "displayMode": "basic",
                "orientation": "horizontal",
                "showUnfilled": True,
            }
        case "table":
            return {"showHeader": True, "cellHeight": "sm"}
        case "state-timeline":
            return {"showValue": "never", "mergeValues": True, "rowHeight": 0.8}
        case "timeseries":
            return {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
