"""Names of runs: what ties rows, log lines and registered models to the run that wrote them."""

from __future__ import annotations

import uuid6


def new_run_id(step: str) -> str:
    """A run id that sorts by time of creation, such as `collect-0196...`."""
    return f"{step}-{uuid6.uuid7()}"
