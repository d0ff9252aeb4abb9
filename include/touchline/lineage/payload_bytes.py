"""The bytes of payloads, exactly as received, and the text of single rows in them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchline.database.engine import connect, rows
from touchline.errors import PayloadUnknown
from touchline.landing.payloads import read_again
from touchline.settings import Settings
from touchline.sources.football_data_uk.table import decode


@dataclass(frozen=True)
class ExtractedPayload:
    """A payload written to a file. `is_intact`: the bytes have the SHA-256 noted when they were received."""

    payload_id: int
    path: Path
    n_bytes: int
    is_intact: bool


@dataclass(frozen=True)
class RowText:
    """One row of a payload as its source wrote it; `row_number` counts data rows from 1. JSON is put on one line."""

    payload_id: int
    row_number: int
    header: str | None
    text: str


def extract(settings: Settings, payload_ids: Sequence[int], folder: Path) -> list[ExtractedPayload]:
    """Write payloads into `folder`, each under its id, source and the end of its address.

    Raises PayloadUnknown for a number that landing does not hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    extracted = []
    for payload_id, body, about in _bodies(settings, payload_ids):
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", about["endpoint"]).strip("-")[-80:]
        path = folder / f"{payload_id}-{about['source']}-{name}"
        path.write_bytes(body)
        is_intact = hashlib.sha256(body).digest() == bytes(about["content_hash"])
        extracted.append(ExtractedPayload(payload_id, path, len(body), is_intact))
    return extracted


def row_texts(settings: Settings, used: Sequence[tuple[int, Collection[int]]]) -> list[RowText]:
    """The text of the rows of each (payload id, row numbers); rows that are not there are left out."""
    wanted = dict(used)
    return [
        row
        for payload_id, body, _ in _bodies(settings, list(wanted))
        for row in rows_of(payload_id, body, wanted[payload_id])
    ]


def _bodies(settings: Settings, payload_ids: Sequence[int]) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    query = (
        "select payload_id, source, endpoint, content_hash from landing.payload where payload_id = any(%s)"
    )
    with connect(settings, "model") as connection:
        known = {row["payload_id"]: row for row in rows(connection, query, (list(payload_ids),))}
        missing = sorted(set(payload_ids) - known.keys())
        if missing:
            raise PayloadUnknown(
                f"landing.payload has no {', '.join(map(str, missing))}: see `touchline lineage <prediction>`"
            )
        for payload_id in payload_ids:
            yield payload_id, read_again(connection, payload_id).body, known[payload_id]


def rows_of(payload_id: int, body: bytes, numbers: Collection[int]) -> Iterator[RowText]:
    """Rows of a body by their numbers: lines of a CSV file (blank ones are none), or items of a JSON list."""
    text = decode(body)
    if text.lstrip()[:1] in ("{", "["):
        for number, item in enumerate(_items(json.loads(text)), start=1):
            if number in numbers:
                yield RowText(payload_id, number, None, json.dumps(item, ensure_ascii=False))
        return
    lines = text.splitlines(keepends=True)
    reader = csv.reader(io.StringIO("".join(lines)))
    next(reader, None)
    header, before, number = "".join(lines[: reader.line_num]).strip(), reader.line_num, 0
    for cells in reader:
        if any(cell.strip() for cell in cells):
            number += 1
            if number in numbers:
                yield RowText(payload_id, number, header, "".join(lines[before : reader.line_num]).strip())
        before = reader.line_num


def _items(body: Any) -> list[Any]:
    """The list that a JSON body is, or holds under one of its names."""
    if isinstance(body, list):
        return body
    lists = [value for value in body.values() if isinstance(value, list) and value]
    return max(lists, key=len, default=[])
