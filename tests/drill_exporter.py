"""`python drill_exporter.py PORT CLOCK`: the exporter, with a run clock that stands where a file says, and no patience.

What it keeps of a query for a minute or five, a drill would have to wait for. It has no Airflow and no MLflow to ask.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces
from starlette.applications import Starlette

from touchline.exporter.__main__ import create_app
from touchline.exporter.catalogue import Catalogue, read_catalogue
from touchline.exporter.exporter import Exporter
from touchline.settings import read_settings

CLOCK = "DRILL_CLOCK"
# What the alerts of the drill rest on.
WATCHED = ("due", "skill", "drift", "collected", "activity", "shortfalls")


def impatient(catalogue: Catalogue) -> Catalogue:
    """Reads at every scrape what the drill changes."""
    queries = {
        name: query.model_copy(update={"every_seconds": 0}) if name in WATCHED else query
        for name, query in catalogue.queries.items()
        if query.reads == "touchline"
    }
    return catalogue.model_copy(update={"queries": queries})


def application() -> Starlette:
    async def present() -> datetime:
        return datetime.fromisoformat(Path(os.environ[CLOCK]).read_text())

    return create_app(Exporter(read_settings(), impatient(read_catalogue()), present))


if __name__ == "__main__":
    port, os.environ[CLOCK] = sys.argv[1:]
    Granian(
        "drill_exporter:application", address="127.0.0.1", port=int(port), interface=Interfaces.ASGI, factory=True,
        workers=1, log_access=False,
    ).serve()  # fmt: skip
