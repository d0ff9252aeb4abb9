"""Damage to bodies: bytes cut, flipped and repeated; values of JSON replaced, renamed, dropped. All from a seed."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

JUNK_BYTES = (
    b"", b"\x00", b"\xff\xfe", b",,,", b'"', b"{", b"]", b"null", b"NaN", b"-1e999", b"<html>", b"\r\n", b"\xa0",
    b"9" * 400, b"\\ud800", b"31/02/2026",
)  # fmt: skip
JUNK_VALUES: tuple[Any, ...] = (
    None, True, [], {}, "", " ", "null", -1, 0, 10**30, 1.5, "99999999999999999999", "2026-02-30T25:61:00Z", "\ud800",
    [[[[]]]], {"id": None}, float("nan"), "2026-03-01T15:00:00+99:00",
)  # fmt: skip


def damaged(body: bytes, chance: random.Random) -> bytes:
    """A body with one to four damages."""
    for _ in range(chance.randint(1, 4)):
        is_json = body[:1] in (b"{", b"[")
        body = _json_damage(body, chance) if is_json and chance.random() < 0.7 else _byte_damage(body, chance)
    return body


def _byte_damage(body: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(body) + 1)
    end = min(len(body), start + chance.randint(0, 40))
    match chance.randrange(5):
        case 0:
            return body[:start]
        case 1:
            return body[:start] + body[end:]
        case 2:
            return body[:end] + body[start:]
        case 3:
            return body[:start] + chance.choice(JUNK_BYTES) + body[end:]
        case _:
            return body[:start] + bytes(chance.randrange(256) for _ in range(3)) + body[start:]


def _json_damage(body: bytes, chance: random.Random) -> bytes:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return _byte_damage(body, chance)
    holder = {"": value}
    place: Any = holder
    key: Any = ""
    while isinstance(place[key], dict | list) and place[key] and chance.random() < 0.85:
        place = place[key]
        key = chance.choice(list(place)) if isinstance(place, dict) else chance.randrange(len(place))
    match chance.randrange(4):
        case 0:
            place[key] = chance.choice(JUNK_VALUES)
        case 1 if place is not holder:
            del place[key]
        case 2 if isinstance(place, list):
            place.insert(key, copy.deepcopy(place[key]))
        case _ if isinstance(place, dict) and key:
            place[f"{key}_"] = place.pop(key)
        case _:
            place[key] = chance.choice(JUNK_VALUES)
    return json.dumps(holder[""]).encode("utf-8", "replace")
