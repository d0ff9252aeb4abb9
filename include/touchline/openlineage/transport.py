"""OpenLineage events on their way: to a Marquez-compatible server, or into a file below the installation's home."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from touchline.credentials import write_private
from touchline.settings import Settings

log = logging.getLogger(__name__)

PRODUCER: Final = "urn:touchline"
# A server that does not answer at once holds up the pipeline: what it misses is in ops.lineage_edge.
SECONDS: Final = 5.0
NO_RETRY: Final = {"total": 0, "connect": 0, "read": 0}
# One file of the events before stays beside it.
LARGEST_FILE: Final = 64_000_000
# Every event says it, and a package's metadata is a file that has to be parsed.
_version: Final = cache(version)


def events_file(settings: Settings) -> Path:
    """Where events go without a server: one JSON object a line."""
    return settings.home / "lineage" / "events.jsonl"


def transport_configuration(settings: Settings) -> dict[str, Any]:
    """The transport as OpenLineage clients (and Airflow's provider) want it configured; makes the file's folder.

    A key of the server is taken from TOUCHLINE_LINEAGE_KEY (or the file TOUCHLINE_LINEAGE_KEY_FILE).
    """
    if settings.lineage_url is None:
        path = events_file(settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        return {"type": "file", "log_file_path": str(path), "append": True}
    key = settings.source_key("lineage")
    auth = {} if key is None else {"auth": {"type": "api_key", "apiKey": key.get_secret_value()}}
    return {"type": "http", "url": settings.lineage_url, "timeout": SECONDS, "retry": NO_RETRY, **auth}


def write_client_file(settings: Settings) -> Path:
    """The configuration of OpenLineage clients in a file below the installation's home (mode 600); returns its path.

    It holds the server's key, which an environment would show to every process of the same user.
    """
    path = settings.home / "lineage" / "openlineage.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML.
    write_private(path, json.dumps({"transport": transport_configuration(settings)}, indent=1))
    return path


def send(settings: Settings, events: Sequence[Any]) -> int:
    """Send OpenLineage events in order; returns how many went out.

    The first that cannot be sent ends it, with one warning in the log: lineage is told of work, it never stops it.
    """
    from openlineage.client.transport import get_default_factory

    n_sent = 0
    try:
        if settings.lineage_url is None:
            _make_room(events_file(settings))
        transport = get_default_factory().create(transport_configuration(settings))
        for event in events:
            transport.emit(event)
            n_sent += 1
        transport.close(SECONDS)
    # Whatever a transport may raise: connection, file system and configuration errors share no class.
    except Exception as error:
        where = settings.lineage_url or events_file(settings)
        message = f"{len(events) - n_sent} of {len(events)} lineage events did not reach {where}: {error}"
        # The address may hold a user and password, and errors repeat it.
        log.warning("%s", re.sub(r"//[^/\s]*@", "//", message))
    return n_sent


def run_event(
    settings: Settings, kind: str, at: str, run_id: str, job: Any, inputs: Sequence[Any], outputs: Sequence[Any],
    as_of: datetime, **facets: Any,
) -> Any:  # fmt: skip
    """A RunEvent of `kind` (START, COMPLETE or FAIL) at an instant (ISO 8601).

    Its run is one of `settings.lineage_parent`, if given, and nominally happens at `as_of`. `facets` are further
    facets of the run.
    """
    from openlineage.client.event_v2 import Run, RunEvent, RunState
    from openlineage.client.facet_v2 import nominal_time_run, parent_run, processing_engine_run

    ours: dict[str, Any] = {
        "nominalTime": nominal_time_run.NominalTimeRunFacet(as_of.isoformat()),
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            _version("touchline"), name="touchline", openlineageAdapterVersion=_version("openlineage-python")
        ),
    }
    if settings.lineage_parent is not None:
        namespace, name, parent_id = settings.lineage_parent.rsplit("/", 2)
        ours["parent"] = parent_run.ParentRunFacet(
            run=parent_run.Run(parent_id), job=parent_run.Job(namespace, name)
        )
    return RunEvent(
        eventTime=at, eventType=RunState(kind), run=Run(run_id, {**ours, **facets}), job=job,
        inputs=list(inputs), outputs=list(outputs), producer=PRODUCER,
    )  # fmt: skip


def _make_room(path: Path) -> None:
    if path.exists() and path.stat().st_size > LARGEST_FILE:
        path.replace(path.with_name("events.before.jsonl"))
