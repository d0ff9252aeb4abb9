"""SQL in files of its own, beside the code that runs it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def query(name: str) -> str:
    """The SQL of a file of the package, such as "lineage/sql/fixture". Its parameters are bound, never pasted in."""
    return files("touchline").joinpath(f"{name}.sql").read_text()
