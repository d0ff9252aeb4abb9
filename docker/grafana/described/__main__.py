"""`python -m described` writes ../dashboards/*.json; with `--prometheus ADDRESS` also the table in docs/monitoring.md.

The table has each panel's value as that Prometheus gives it now; `--run` says which run that is.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from described.alerts import ALERTS
from described.api import API
from described.forecasts import FORECASTS
from described.panels import OF_THE_SCRAPE, as_json
from described.pipeline import PIPELINE
from described.system import SYSTEM

DASHBOARDS = (FORECASTS, PIPELINE, API, SYSTEM, ALERTS)
FOLDER = Path(__file__).parents[1] / "dashboards"
PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"
BEGIN, END = "<!-- panels: written by `make dashboards` -->", "<!-- end of panels -->"
# Of a query that gives more, the largest are shown.
MOST_SHOWN = 3
UNITS = {
    "short": "number", "none": "no unit", "suffix: nats": "nats", "s": "seconds", "percentunit": "share",
    "bytes": "bytes", "Bps": "bytes a second", "reqps": "requests a second", "ops": "a second",
    "bool_yes_no": "1 is yes", "dateTimeAsIso": "milliseconds since 1970",
}  # fmt: skip
Ask = Callable[[str], list[dict[str, Any]]]


def files() -> dict[Path, str]:
    """Every dashboard as the text of its file."""
    return {FOLDER / f"{each.uid}.json": json.dumps(as_json(each), indent=1) + "\n" for each in DASHBOARDS}


def asking(address: str, at: str | None = None) -> Ask:
    """Asks a Prometheus for what a query gives now, or gave at a time (RFC 3339).

    Raises httpx.HTTPError, and ValueError for a query that it refuses.
    """

    def ask(query: str) -> list[dict[str, Any]]:
        reply = httpx.get(
            f"{address}/api/v1/query",
            params={"query": query} | ({"time": at} if at else {}),
            timeout=30,
            trust_env=False,
        ).json()
        if reply["status"] != "success":
            raise ValueError(f"{query}: {reply['error']}")
        return list(reply["data"]["result"])

    return ask


def table(ask: Ask, run: str) -> Iterator[str]:
    """The panels of every dashboard, with their values."""
    yield f"Values are of {run}. Of several series the {MOST_SHOWN} largest are shown."
    for dashboard in DASHBOARDS:
        yield f"\n#### {dashboard.title}\n\n{dashboard.text}\n\n| panel | unit | query | value |\n|---|---|---|---|"
        for panel in dashboard.panels:
            for legend, query in panel.queries.items():
                name = (
                    panel.title if len(panel.queries) == 1 else f"{panel.title}: {legend.partition(' {')[0]}"
                )
                shown = query.replace("|", "\\|")
                value = _values(ask(dashboard.filled(query)), legend)
                yield f"| {name} | {UNITS[panel.unit]} | `{shown}` | {value} |"


def _values(found: list[dict[str, Any]], legend: str) -> str:
    # What is divided by nothing is no number.
    found = [each for each in found if not math.isnan(float(each["value"][1]))]
    largest = sorted(found, key=lambda each: -float(each["value"][1]))
    shown = [
        f"{_label(each['metric'], legend)}{_figure(float(each['value'][1]))}" for each in largest[:MOST_SHOWN]
    ]
    if len(found) > MOST_SHOWN:
        shown.append(f"and {len(found) - MOST_SHOWN} more")
    return ", ".join(shown) or "no series"


def _label(metric: Mapping[str, str], legend: str) -> str:
    """The legend of a series, where it has one of its own; of a table, what the series says of itself."""
    if not legend:
        legend = " ".join(value for name, value in metric.items() if name not in OF_THE_SCRAPE)
    elif "{{" not in legend:
        return ""
    for name, value in metric.items():
        legend = legend.replace(f"{{{{{name}}}}}", value)
    # Where nothing is there a query gives 0, which has no labels.
    return "" if "{{" in legend or not legend.strip() else f"{legend.strip()}: "


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--prometheus", help="address of a Prometheus that watches a run, http://127.0.0.1:9090"
    )
    parser.add_argument("--at", help="when its values are taken (RFC 3339); now, if not said")
    parser.add_argument("--run", default="the run that was watched", help="which run that is, in words")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text)
    if options.prometheus:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        rows = "\n".join(table(asking(options.prometheus, options.at), options.run))
        PAGE.write_text(f"{before}{BEGIN}\n{rows}\n{END}{after}")


if __name__ == "__main__":
    main()
