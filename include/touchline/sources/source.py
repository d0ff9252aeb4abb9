"""The interface every source implements, and the plain data that crosses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

import polars as pl

Kind = Literal["fixtures", "odds", "scores"]
KINDS: tuple[Kind, ...] = ("fixtures", "odds", "scores")
Scope = Literal["payload", "row", "field", "price"]


@dataclass(frozen=True)
class Request:
    """One thing to ask a source for; `endpoint` is stable over time and holds no secret."""

    source: str
    endpoint: str


@dataclass(frozen=True)
class Reply:
    """The bytes of one reply, exactly as received."""

    body: bytes
    http_status: int = 200
    content_type: str | None = None
    validators: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NoReply:
    """There is nothing to store: the body has not changed, or the source does not offer it."""

    reason: Literal["not_modified", "not_offered"]


@dataclass(frozen=True)
class Rejection:
    """Something that could not be used. `row_number` counts data rows from 1; 0 is the payload itself."""

    row_number: int
    scope: Scope
    rule: str
    field: str | None
    value: str | None
    reason: str
    row_text: str | None = None


@dataclass(frozen=True)
class Observations:
    """What one payload says. `n_parsed` + the rejected rows = `n_rows`, always.

    Frames hold the columns of landing.fixture_observation, score_observation and odds_observation, without
    payload_id, observed_at and known_at, which the landing adds.
    """

    n_rows: int
    n_parsed: int
    fixtures: pl.DataFrame
    scores: pl.DataFrame
    quotes: pl.DataFrame
    rejections: Sequence[Rejection]


class Source(Protocol):
    """One provider. Implementations hold their address; they never read the clock."""

    name: str
    ignored: Sequence[str]

    def requests(self, kinds: Sequence[Kind], as_of: datetime) -> Sequence[Request]:
        """What to ask for these kinds of facts at `as_of`; raises SourceUnavailable when nothing is there."""

    def fetch(self, request: Request, as_of: datetime, validators: Mapping[str, str]) -> Reply | NoReply:
        """Ask; `validators` are those of the last stored body. Raises SourceUnavailable."""

    def parse(self, request: Request, body: bytes) -> Observations:
        """Read a stored body. Raises PayloadRejected when none of it can be used."""
