"""What a suite is, and the three severities of its expectations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Suite:
    """Expectations on the rows of one query with its `parameters` (or of a given frame, where `query` is None).

    Rows have a text column `row_key`, which identifies the row, and `competition`, which is held when the row breaks an
    expectation that blocks; a row without a competition stops the run.
    """

    name: str
    query: str | None
    expectations: Callable[[], Sequence[Any]]
    parameters: Mapping[str, Any] = field(default_factory=dict)


def block(expectation: Callable[..., Any], advice: str, **arguments: Any) -> Any:
    """An expectation whose failure holds the competitions of the rows that break it."""
    return expectation(meta={"severity": "block", "advice": advice}, **arguments)


def quarantine(expectation: Callable[..., Any], advice: str, **arguments: Any) -> Any:
    """An expectation on facts that were left out of the build before it was checked."""
    return expectation(meta={"severity": "quarantine", "advice": advice}, **arguments)


def warn(expectation: Callable[..., Any], advice: str, **arguments: Any) -> Any:
    """An expectation whose failure is only recorded and shown."""
    return expectation(meta={"severity": "warn", "advice": advice}, **arguments)
