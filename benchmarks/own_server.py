"""A PostgreSQL server that one benchmark has for itself, with an empty warehouse."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from touchline.database import bootstrap, embedded
from touchline.settings import Settings


@contextmanager
def own_server(**values: Any) -> Iterator[Settings]:
    """Settings of an installation that goes with the block; `values` are settings beside its place and its port."""
    home = Path(tempfile.mkdtemp())
    # PostgreSQL may run as another user.
    home.chmod(0o755)
    settings = Settings(home=home, postgres_port=0, database_name="touchline_benchmark", **values)
    try:
        bootstrap.prepare(settings)
        yield settings
    finally:
        embedded.stop(settings)
        shutil.rmtree(home)
