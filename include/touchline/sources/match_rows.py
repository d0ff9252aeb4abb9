"""Read the match objects of a JSON body: each is one row, which is parsed, or rejected with the field named.

A provider's module interprets a row in a function `(Fields, Row) -> None`. When a field that it needs is unusable,
`Fields` raises, and the whole row is rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

import polars as pl

from touchline.sources.json_body import FieldInvalid, Fields, as_object, shown
from touchline.sources.source import (
    FIXTURE_SCHEMA,
    QUOTE_SCHEMA,
    SCORE_SCHEMA,
    Announced,
    Observations,
    Rejection,
)

T = TypeVar("T")

# For providers that do not date their fixture lists: these are public weeks ahead of the match.
FIXTURE_NOTICE: Final = timedelta(days=30)
_LONGEST_ROW_TEXT = 1000


@dataclass
class Row:
    """The content of one match object. It counts only once all of it has been read.

    `about` is set early, so that a rejected row can say which fixture it was about.
    """

    number: int
    match_id: str = ""
    about: Announced | None = None
    fixture: dict[str, object] | None = None
    score: dict[str, object] | None = None
    quotes: list[dict[str, object]] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    quoted: set[tuple[str, str, float]] = field(default_factory=set)

    def reject(self, scope: str, problem: FieldInvalid) -> None:
        """Reject only a field or a price; the row stands."""
        assert scope in ("field", "price")
        self.rejections.append(
            Rejection(
                self.number, "field" if scope == "field" else "price", problem.rule, problem.place,
                shown(problem.value), problem.reason, row_key=self.match_id or None,
            )
        )  # fmt: skip

    def optional(self, read: Callable[[], T]) -> T | None:
        """The result of `read`; None when the field is unusable, which rejects only that field."""
        try:
            return read()
        except FieldInvalid as problem:
            self.reject("field", problem)
            return None


def read_rows(items: Sequence[object], read: Callable[[Fields, Row], None]) -> Observations:
    """Read each item as one row, parsed or rejected. Of rows with the same match id, the first stands."""
    parsed: list[Row] = []
    rejections: list[Rejection] = []
    seen: set[str] = set()
    for number, item in enumerate(items, start=1):
        row = Row(number)
        try:
            _read_one(item, row, read, seen)
        except FieldInvalid as problem:
            rejections.append(
                Rejection(
                    number, "row", problem.rule, problem.place, shown(problem.value), problem.reason,
                    shown(item, _LONGEST_ROW_TEXT), row.about, row.match_id or None,
                )
            )  # fmt: skip
            continue
        seen.add(row.match_id)
        parsed.append(row)
        rejections += row.rejections
    return Observations(
        n_rows=len(items),
        n_parsed=len(parsed),
        fixtures=_frame([(row, row.fixture) for row in parsed], FIXTURE_SCHEMA),
        scores=_frame([(row, row.score) for row in parsed], SCORE_SCHEMA),
        quotes=_frame([(row, quote) for row in parsed for quote in row.quotes], QUOTE_SCHEMA),
        rejections=rejections,
    )


def _read_one(item: object, row: Row, read: Callable[[Fields, Row], None], seen: set[str]) -> None:
    read(Fields(as_object(item, f"[{row.number - 1}]").value), row)
    if row.match_id in seen:
        reason = "the same match appears in an earlier row of this body"
        raise FieldInvalid("id", row.match_id, reason, "duplicate_row")


def _frame(facts: Sequence[tuple[Row, dict[str, object] | None]], schema: Mapping[str, Any]) -> pl.DataFrame:
    rows = [
        {"source_match_id": row.match_id, "row_number": row.number, **fact}
        for row, fact in facts
        if fact is not None
    ]
    columns = {name: [row.get(name) for row in rows] for name in schema}
    return pl.DataFrame(columns, schema=dict(schema))
