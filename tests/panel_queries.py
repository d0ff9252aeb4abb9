"""Which queries of the dashboards and of the rules find nothing in a Prometheus."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from described.__main__ import DASHBOARDS

from watching import PROMETHEUS

# Where a comparison begins that would leave out what is well. Matchers of labels have no space after theirs.
COMPARISON = re.compile(r"(==|!=|>=|<=|>|<)(?=\s)(?! bool)")
# Nothing backs up yet.
FUTURE = {"BackupOverdue"}


def without_series(ask: Callable[[str], list[dict[str, Any]]]) -> list[str]:
    """The queries, each with where it is from. `ask` gives what a query finds, and raises for one that is refused."""
    return [f"{where}: {query}" for where, query in _queries() if not ask(query)]


def _queries() -> Iterator[tuple[str, str]]:
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for query in panel.queries.values():
                yield f"{dashboard.title}, {panel.title}", dashboard.filled(query)
    for path in sorted((PROMETHEUS / "rules").glob("*.yml")):
        for rule in (each for group in yaml.safe_load(path.read_text())["groups"] for each in group["rules"]):
            name = rule.get("alert") or rule["record"]
            if name not in FUTURE:
                # An alert finds something only where something is wrong: what it compares is to be there.
                yield name, COMPARISON.sub(r"\1 bool", rule["expr"])
