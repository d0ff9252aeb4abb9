"""One check of the doctor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "degraded", "failed"]


@dataclass(frozen=True)
class Check:
    """One check; `advice` says what to do unless the state is ok."""

    subject: str
    state: State
    finding: str
    advice: str = ""


def guarded(subject: str, check: Callable[[], Check], advice: str) -> Check:
    """The check, or what kept it from being made, which is itself a failure."""
    try:
        return check()
    # Any failure is itself the finding.
    except Exception as error:
        return failure(subject, error, advice)


def failure(subject: str, error: Exception, advice: str) -> Check:
    """A check that could not be made."""
    return Check(subject, "failed", f"{type(error).__name__}: {error}".splitlines()[0], advice)
