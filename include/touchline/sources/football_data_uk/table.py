"""Read the bytes of a football-data.co.uk file as rows of text, losing none."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from touchline.errors import PayloadRejected
from touchline.sources.football_data_uk.columns import HEADER_ALIASES, REQUIRED

BLANK_AT_EDGE = re.compile(r"(?:^|[,\"])[ \t\xa0]|[ \t\xa0](?:[,\"\r\n]|$)", re.MULTILINE)


@dataclass(frozen=True)
class Table:
    """Trimmed text cells. `rows` have exactly one cell per header name; `lengths` count the original cells of each.

    A row is a line of the file, whatever its quotes say. `unreadable` has the reason by row index of those that are no
    row by themselves; their text is in the first cell.
    """

    header: list[str]
    rows: list[list[str]]
    lengths: list[int]
    is_last_row_cut: bool
    unreadable: Mapping[int, str]


def read_table(body: bytes, place: str, required: Sequence[str] = REQUIRED) -> Table:
    """Read a CSV body. Blank rows (bare commas) are layout, not data, and are skipped.

    Raises PayloadRejected, naming `place`, for an empty body, a web page, or a header without the
    `required` columns.
    """
    text = decode(body)
    if not text.strip():
        raise PayloadRejected(f"{place}: the file is empty; download it again")
    if text.lstrip()[:1] == "<":
        raise PayloadRejected(
            f"{place}: a web page instead of a CSV file; check the address or download it again"
        )
    # PostgreSQL text cannot hold NUL, and a damaged file may.
    lines = io.StringIO(text.replace("\x00", "\N{SYMBOL FOR NULL}"))
    try:
        first = next(csv.reader([next(lines)]))
    except csv.Error as error:
        raise PayloadRejected(f"{place}: not a CSV file: {error}; download it again") from None
    header = _clean_header(first)
    missing = [name for name in required if name not in header]
    if missing:
        raise PayloadRejected(
            f"{place}: the header has no column {', '.join(missing)}; it begins {','.join(header[:6])!r}"
        )
    width = len(header)
    rows: list[list[str]] = []
    lengths: list[int] = []
    unreadable: dict[int, str] = {}
    # Few files have blanks around cells, and trimming thirteen million clean cells would double the reading time.
    needs_trim = BLANK_AT_EDGE.search(text) is not None
    for raw, problem in _read_lines(lines):
        cells = [cell.strip() for cell in raw] if needs_trim else raw
        if not any(cells):
            continue
        if problem:
            unreadable[len(rows)] = problem
        lengths.append(len(cells))
        rows.append(cells[:width] if len(cells) >= width else cells + [""] * (width - len(cells)))
    is_cut = bool(rows) and not text.endswith(("\n", "\r")) and _is_shorter_than_the_others(lengths)
    return Table(header, rows, lengths, is_cut, unreadable)


def _read_lines(lines: Iterable[str]) -> Iterator[tuple[list[str], str]]:
    """The cells of each line, with the reason why they are none.

    Each line is read by itself: a quote that is not closed would take the lines after it into its cell.
    """
    for line in lines:
        if '"' not in line and "\r" not in line[:-2] and len(line) < csv.field_size_limit():
            yield line.rstrip("\r\n").split(","), ""
            continue
        try:
            # Strictly, where the quotes come in pairs: only then does the reader say that one is open.
            yield next(csv.reader([line], strict=line.count('"') % 2 == 1), []), ""
        except csv.Error as error:
            yield [line.strip()], f"not a row of a CSV file: {error}"


def decode(body: bytes) -> str:
    """UTF-8 with or without a byte-order mark; files before 2010 or so may be Windows-1252."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _is_shorter_than_the_others(lengths: Sequence[int]) -> bool:
    # A single row has no others to compare with and counts as cut.
    return len(lengths) == 1 or lengths[-1] < min(lengths[:-1])


def _clean_header(cells: Sequence[str]) -> list[str]:
    """Trimmed names. Blank and repeated names become positional ones, so the first column of a name counts."""
    header: list[str] = []
    seen: set[str] = set()
    for position, cell in enumerate(cells):
        name = HEADER_ALIASES.get(cell.strip(), cell.strip())
        if not name or name in seen:
            name = f"#{position}"
        seen.add(name)
        header.append(name)
    return header
