"""The board: one page that shows what is predicted, by which model, and how it has done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape

from touchline import __version__
from touchline.serving import queries
from touchline.serving.database import Reader
from touchline.settings import Settings

N_FIXTURES = 60

TRACK_RECORD = """
select forecast, role, sum(n)::int as n, sum(rps * n) / sum(n) as rps, sum(log_loss * n) / sum(n) as log_loss,
    sum(accuracy * n) / sum(n) as accuracy,
    sum(closing_log_loss * n_with_closing) / nullif(sum(n_with_closing), 0) as closing_log_loss
from analytics.track_record group by forecast, role order by log_loss
"""

SOURCES = "select * from analytics.source_health order by source"

STRONGEST = """
select name, country, elo, pi_home, pi_away from analytics.team_strength
where last_kickoff_at > $1 - interval '120 days' order by elo desc limit 10
"""

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)


async def page(
    settings: Settings, reader: Reader, reasons: Sequence[str], present: Callable[[], datetime]
) -> str:
    """The page as HTML; `reasons` are what is missing when there is nothing to show yet."""
    values: dict[str, Any] = {
        "version": __version__,
        "is_simulated": settings.is_simulated,
        "reasons": reasons,
        "links": {
            "API": "/docs",
            "Airflow": f"http://127.0.0.1:{settings.running_port('airflow-api', settings.airflow_port)}",
            "MLflow": f"http://127.0.0.1:{settings.running_port('mlflow', settings.mlflow_port)}",
        },
    }
    if not reasons:
        now = present()
        found = await reader.rows(queries.UPCOMING, "champion", now, None, None, N_FIXTURES, 0)
        values |= {
            "now": now,
            "days": _by_day(found),
            "total": found[0]["total"] if found else 0,
            "model": found[0] if found else None,
            "track_record": await reader.rows(TRACK_RECORD),
            "sources": await reader.rows(SOURCES),
            "strongest": await reader.rows(STRONGEST, now),
        }
    return _pages.get_template("board.html").render(values)


def _by_day(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    days: dict[str, list[Mapping[str, Any]]] = {}
    for row in found:
        days.setdefault(f"{row['kickoff_at']:%A, %d %B %Y}", []).append(row)
    return list(days.items())
