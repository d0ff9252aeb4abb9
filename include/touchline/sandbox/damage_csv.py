"""Faults inside a CSV file: what the faults of JSON bodies are to rows and columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from touchline.sandbox.chance import generator, pick
from touchline.sandbox.faults import Draw, Fault
from touchline.sandbox.market import MARGINS, OTHER_MARKETS

BYTE_ORDER_MARK: Final = "\ufeff"
END: Final = "\r\n"
RENAMED: Final = {
    "HomeTeam": "Home", "AwayTeam": "Away", "Date": "MatchDate", "FTHG": "HomeGoals", "B365H": "Bet365H",
    "Div": "League",
}  # fmt: skip
MISSING: Final = ("AwayTeam", "Date", "FTAG", "PSD", "Time", "Div")

Rows = list[list[str]]
Change = Callable[[Rows, Draw], bool]


def damage_csv(body: bytes, draw: Draw) -> tuple[bytes, frozenset[Fault]]:
    """The file with the drawn faults in it, and which of them left a trace."""
    drawn = [(fault, change) for fault, change in CHANGES.items() if fault in draw.faults]
    hit: set[Fault] = set()
    text = body.decode()
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    if drawn:
        rows = [line.split(",") for line in text.removeprefix(mark).removesuffix(END).split(END)]
        hit = {fault for fault, change in drawn if change(rows, draw)}
        text = mark + END.join(map(",".join, rows)) + END if hit else text
    if Fault.INVALID_JSON in draw.faults:
        hit.add(Fault.INVALID_JSON)
        return _break(text, draw), frozenset(hit)
    return text.encode() if hit else body, frozenset(hit)


def cut_point(body: bytes) -> int:
    """Where to end so that the last row is cut."""
    middle = len(body) // 2
    comma = body.find(b",", middle)
    return comma + 1 if comma > 0 else middle


def _rename(rows: Rows, draw: Draw) -> bool:
    there = [name for name in RENAMED if name in rows[0]]
    name = pick(there, *draw.dice, Fault.RENAMED_FIELDS)
    rows[0][rows[0].index(name)] = RENAMED[name]
    return True


def _drop(rows: Rows, draw: Draw) -> bool:
    there = [name for name in MISSING if name in rows[0]]
    column = rows[0].index(pick(there, *draw.dice, Fault.MISSING_FIELDS))
    for row in rows:
        del row[column]
    return True


def _vanish(rows: Rows, draw: Draw) -> bool:
    code = pick(tuple(MARGINS), *draw.dice, Fault.VANISHED_BOOKMAKER)
    stem = f"({code}C?[HDA]|{OTHER_MARKETS.get(code, code)}C?([<>]2.5|AH[HA]))"
    columns = [index for index, name in enumerate(rows[0]) if re.fullmatch(stem, name)]
    had_any = any(row[index] for row in rows[1:] for index in columns)
    for row in rows[1:]:
        for index in columns:
            row[index] = ""
    return had_any


def _repeat(rows: Rows, draw: Draw) -> bool:
    del draw
    n_rows = len(rows) - 1
    rows += [list(row) for row in rows[1 : 1 + -(-n_rows // 3)]]
    return n_rows > 0


def _shuffle(rows: Rows, draw: Draw) -> bool:
    shuffled = rows[1:]
    generator(*draw.dice, Fault.REORDERED).shuffle(shuffled)
    is_changed = shuffled != rows[1:]
    rows[1:] = shuffled
    return is_changed


CHANGES: Final[dict[Fault, Change]] = {
    Fault.VANISHED_BOOKMAKER: _vanish,
    Fault.DUPLICATE_PAGES: _repeat,
    Fault.REORDERED: _shuffle,
    Fault.MISSING_FIELDS: _drop,
    Fault.RENAMED_FIELDS: _rename,
}


def _break(text: str, draw: Draw) -> bytes:
    """A whole reply with half a file in it, an open quote, or bytes that are no text."""
    body = text.encode()
    middle = body.find(b"\r\n", len(body) // 2) + len(END)
    ways = (
        body[: cut_point(body)],
        body[:middle] + b'"' + body[middle:],
        body[:middle] + b"\x00\x81\x8d,\xff,," + body[middle:],
    )
    return pick(ways, *draw.dice, Fault.INVALID_JSON)
