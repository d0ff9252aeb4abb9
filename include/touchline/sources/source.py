"""The interface every source implements, and the plain data that crosses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Literal, Protocol

import polars as pl

from touchline.sources.kinds import KINDS as KINDS
from touchline.sources.kinds import Kind as Kind

Scope = Literal["payload", "row", "field", "price"]
# Bookmaker, market and is_closing: what a bookmaker offers of a match, in one line or several.
Offer = tuple[str, str, bool]

_UTC: Final = pl.Datetime("us", "UTC")
# The frames of a source that has its own match ids. Landing replaces source_match_id by fixture_key, and team names by
# the warehouse's. Those are football_data_uk's names, so its own frames hold fixture_key from the start. The season is
# null where neither body nor row says it; landing fills it.
FIXTURE_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "source_match_id": pl.String, "competition": pl.String, "season": pl.String, "home_team": pl.String,
    "away_team": pl.String, "kickoff_on": pl.Date, "kickoff_at": _UTC, "is_kickoff_time_known": pl.Boolean,
    "status": pl.String, "stage": pl.String, "row_number": pl.Int32, "published_at": _UTC,
}  # fmt: skip
SCORE_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "source_match_id": pl.String, "home_goals": pl.Int16, "away_goals": pl.Int16, "home_goals_half_time": pl.Int16,
    "away_goals_half_time": pl.Int16, "home_goals_extra_time": pl.Int16, "away_goals_extra_time": pl.Int16,
    "home_penalties": pl.Int16, "away_penalties": pl.Int16, "referee": pl.String, "row_number": pl.Int32,
    "published_at": _UTC,
}  # fmt: skip
QUOTE_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "source_match_id": pl.String, "bookmaker": pl.String, "market": pl.String, "line": pl.Float32,
    "is_closing": pl.Boolean, "price_home": pl.Float32, "price_draw": pl.Float32, "price_away": pl.Float32,
    "price_over": pl.Float32, "price_under": pl.Float32, "row_number": pl.Int32, "quoted_at": _UTC,
    "published_at": _UTC,
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One request to a source.

    `endpoint` (path and query, parameters sorted by name) is stable over time and contains no secret. `cost` is what
    the provider charges, in its own credits.
    """

    source: str
    endpoint: str
    cost: int = 1


@dataclass(frozen=True)
class Reply:
    """The bytes of one reply, exactly as received, at `observed_at` (UTC); None: as of the run."""

    body: bytes
    http_status: int = 200
    content_type: str | None = None
    validators: Mapping[str, str] = field(default_factory=dict)
    observed_at: datetime | None = None


@dataclass(frozen=True)
class NoReply:
    """Nothing to store: the body had not changed at `observed_at` (as in `Reply`), or the source does not offer it."""

    reason: Literal["not_modified", "not_offered"]
    observed_at: datetime | None = None


@dataclass(frozen=True)
class Announced:
    """The fixture a row is about, with the source's team names; `kickoff_at` in UTC."""

    competition: str
    kickoff_at: datetime
    home_team: str
    away_team: str


@dataclass(frozen=True)
class Rejection:
    """Something that could not be used. `row_number` counts data rows from 1; 0 is the payload itself.

    `fixture` is the fixture that a rejected row is about, if that could be read. `row_key` is what tells the row from
    the others in every version of its body (such as day and teams); None where its text or number has to do.
    """

    row_number: int
    scope: Scope
    rule: str
    field: str | None
    value: str | None
    reason: str
    row_text: str | None = None
    fixture: Announced | None = None
    row_key: str | None = None


@dataclass(frozen=True)
class Observations:
    """The content of one payload. `n_parsed` + the rejected rows = `n_rows`, always.

    Frames hold the columns of landing.fixture_observation, score_observation and odds_observation, without
    source, payload_id, observed_at and known_at, which landing adds. A match is identified by fixture_key, or by
    source_match_id as in FIXTURE_SCHEMA, SCORE_SCHEMA and QUOTE_SCHEMA. The stage of a match is `league` or `play_off`,
    null where the source does not say. `is_whole_season` is true where the body lists every match that the source knows
    of its seasons, so that a match it no longer lists was withdrawn. `told_in_full` are the offers that the body either
    holds or withdraws, for each match it lists.
    """

    n_rows: int
    n_parsed: int
    fixtures: pl.DataFrame
    scores: pl.DataFrame
    quotes: pl.DataFrame
    rejections: Sequence[Rejection]
    is_whole_season: bool = False
    told_in_full: frozenset[Offer] = frozenset()


class Source(Protocol):
    """One provider. Implementations never read the clock."""

    name: str
    ignored: Sequence[str]

    def requests(self, kinds: Sequence[Kind], as_of: datetime) -> Sequence[Request]:
        """The requests for these kinds of facts at `as_of`. Raises SourceUnavailable when nothing is there."""

    def fetch(self, request: Request, as_of: datetime, validators: Mapping[str, str]) -> Reply | NoReply:
        """Send a request with the `validators` of the last stored body. Raises SourceUnavailable."""

    def backfill(self, kinds: Sequence[Kind], start: date, end: date) -> Sequence[Request]:
        """The requests for all matches from `start` to `end` (UK days, both included), oldest first."""

    def more(self, request: Request, body: bytes) -> Sequence[Request]:
        """The further requests that a body makes necessary: its other pages."""

    def parse(self, request: Request, body: bytes) -> Observations:
        """Read a stored body. Raises PayloadRejected when none of it can be used."""
