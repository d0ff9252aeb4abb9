"""Chance that follows from names alone: the same question always has the same answer."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def unit(*parts: object) -> float:
    """A number in [0, 1) that follows from `parts`."""
    return _number(parts) / 2**64


def pick(choices: Sequence[T], *parts: object) -> T:
    """One of `choices`, which follows from `parts`."""
    return choices[_number(parts) % len(choices)]


def generator(*parts: object) -> random.Random:
    """A generator of its own for `parts`."""
    return random.Random(_number(parts))  # noqa: S311


def identifier(*parts: object) -> str:
    """32 hexadecimal digits that follow from `parts`."""
    return hashlib.blake2b(_text(parts), digest_size=16).hexdigest()


def _number(parts: tuple[object, ...]) -> int:
    return int.from_bytes(hashlib.blake2b(_text(parts), digest_size=8).digest(), "big")


def _text(parts: tuple[object, ...]) -> bytes:
    return "\x1f".join(map(str, parts)).encode()
