"""Faults inside a JSON body: fields renamed or missing, bookmakers gone, matches twice or in another order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from touchline.sandbox.answer import encode
from touchline.sandbox.chance import generator, pick, unit
from touchline.sandbox.faults import Draw, Fault
from touchline.sources.simulated import API_FOOTBALL, FOOTBALL_DATA_ORG, THE_ODDS_API

SKEW: Final = timedelta(minutes=90)
# Fields that may change their name, and to what; those that may be missing are the same ones.
RENAMED: Final = {
    FOOTBALL_DATA_ORG: {
        "utcDate": "utc_date", "homeTeam": "home_team", "score": "result", "status": "state",
        "fullTime": "full_time", "id": "matchId",
    },
    THE_ODDS_API: {
        "commence_time": "commenceTime", "home_team": "homeTeam", "bookmakers": "books", "outcomes": "selections",
        "price": "odds", "scores": "result",
    },
    API_FOOTBALL: {
        "fixture": "match", "teams": "clubs", "score": "scores", "status": "state", "bets": "markets",
        "odd": "price", "date": "kickoff",
    },
}  # fmt: skip
LISTS: Final = {FOOTBALL_DATA_ORG: "matches", THE_ODDS_API: "data", API_FOOTBALL: "response"}
INNER_LISTS: Final = ("bookmakers", "markets", "outcomes", "bets", "values", "scores", "referees")
UPDATES: Final = ("lastUpdated", "last_update", "update")

Change = Callable[[list[Any], str, Draw], bool]


def damage_json(source: str, body: bytes, draw: Draw) -> tuple[bytes, frozenset[Fault]]:
    """The body with the drawn faults in it, and which of them left a trace."""
    drawn = [(fault, change) for fault, change in CHANGES.items() if fault in draw.faults]
    hit: set[Fault] = set()
    if drawn:
        value = json.loads(body)
        items = value if isinstance(value, list) else value.get(LISTS[source], [])
        hit = {fault for fault, change in drawn if change(items, source, draw)}
        body = encode(value) if hit else body
    if Fault.INVALID_JSON in draw.faults:
        return _break(body, draw), frozenset({*hit, Fault.INVALID_JSON})
    return body, frozenset(hit)


def shift(text: str, draw: Draw) -> str:
    """An ISO time 90 minutes early or late."""
    return (datetime.fromisoformat(text) + skew(draw)).isoformat().replace("+00:00", text[19:])


def skew(draw: Draw) -> timedelta:
    """How far the provider's clock is off for a request."""
    return SKEW if unit(*draw.dice, Fault.CLOCK_SKEW) < 0.5 else -SKEW


def _rename(items: list[Any], source: str, draw: Draw) -> bool:
    old = _choose(items, source, draw, Fault.RENAMED_FIELDS)
    if old is None:
        return False
    for found in _objects(items):
        if old in found:
            renamed = {RENAMED[source][old] if name == old else name: item for name, item in found.items()}
            found.clear()
            found.update(renamed)
    return True


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a value, the inner ones first."""
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)
    elif isinstance(value, dict):
        for item in list(value.values()):
            yield from _objects(item)
        yield value


def _drop(items: list[Any], source: str, draw: Draw) -> bool:
    name = _choose(items, source, draw, Fault.MISSING_FIELDS)
    if name is None:
        return False
    for found in _objects(items[::2]):
        found.pop(name, None)
    return True


def _choose(items: list[Any], source: str, draw: Draw, fault: Fault) -> str | None:
    """One of the fields that the first match has."""
    if not items:
        return None
    first = json.dumps(items[0])
    there = [name for name in RENAMED[source] if f'"{name}":' in first]
    return pick(there, *draw.dice, fault) if there else None


def _vanish(items: list[Any], source: str, draw: Draw) -> bool:
    name = "key" if source == THE_ODDS_API else "name"
    there = sorted(
        {book[name] for item in items for book in item.get("bookmakers") or [] if name in book},
    )
    if not there:
        return False
    gone = pick(there, *draw.dice, Fault.VANISHED_BOOKMAKER)
    for item in items:
        item["bookmakers"] = [book for book in item["bookmakers"] if book.get(name) != gone]
    return True


def _repeat(items: list[Any], source: str, draw: Draw) -> bool:
    del source, draw
    items += json.loads(json.dumps(items[: -(-len(items) // 3)]))
    return bool(items)


def _shuffle(items: list[Any], source: str, draw: Draw) -> bool:
    del source
    random = generator(*draw.dice, Fault.REORDERED)
    before = encode(items)
    for found in _objects(items):
        for name in INNER_LISTS:
            if isinstance(found.get(name), list):
                random.shuffle(found[name])
    random.shuffle(items)
    return encode(items) != before


def _skew(items: list[Any], source: str, draw: Draw) -> bool:
    del source
    is_changed = False
    for found in _objects(items):
        for name in UPDATES:
            if isinstance(found.get(name), str):
                found[name] = shift(found[name], draw)
                is_changed = True
    return is_changed


# In this order: names change last, so that the others find what they look for.
CHANGES: Final[dict[Fault, Change]] = {
    Fault.VANISHED_BOOKMAKER: _vanish,
    Fault.CLOCK_SKEW: _skew,
    Fault.DUPLICATE_PAGES: _repeat,
    Fault.REORDERED: _shuffle,
    Fault.MISSING_FIELDS: _drop,
    Fault.RENAMED_FIELDS: _rename,
}


def _break(body: bytes, draw: Draw) -> bytes:
    """A body that no JSON reader takes."""
    middle = len(body) // 2
    ways = (body[:-1], body[: max(1, middle)] if middle else b"{", b"{'" + body, b"\xff\xfe" + body)
    return pick(ways, *draw.dice, Fault.INVALID_JSON)
