"""Read untrusted JSON: give the value of a field, or name the field that is unusable."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar

from touchline.errors import PayloadRejected

T = TypeVar("T")

MOST_GOALS: Final = 30
# The longest shoot-out of a first-class match ended 23-22.
MOST_PENALTIES: Final = 60
_LONGEST_TEXT = 200
# No count, id or time has more digits; Python refuses to read thousands of them.
_MOST_DIGITS = 18
_YEARS = range(1990, 2101)
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Control characters and lone surrogates: PostgreSQL cannot store NUL, and UTF-8 cannot encode lone surrogates.
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_LONG_TOKEN = re.compile(r"[A-Za-z0-9]{20,}")


class FieldInvalid(Exception):
    """A field is unusable. `place` is its path, such as `score.fullTime.home`."""

    def __init__(self, place: str, value: object, reason: str, rule: str = "field_invalid") -> None:
        super().__init__(f"{place}: {reason}")
        self.place, self.value, self.reason = place, value, reason
        self.rule = "field_missing" if value is None and rule == "field_invalid" else rule


def decode(body: bytes, place: str) -> Any:
    """The value of a JSON body.

    Raises PayloadRejected, naming `place`, when the body is empty, a web page, cut short, not JSON, or nested too
    deeply.
    """
    if not body.strip():
        raise PayloadRejected(f"{place}: the body is empty; fetch it again")
    if body.lstrip()[:1] == b"<":
        raise PayloadRejected(f"{place}: a web page instead of JSON; check the address or fetch it again")
    try:
        return json.loads(body.decode("utf-8-sig"), parse_int=_whole_number)
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not UTF-8"
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.pos}"
    except RecursionError:
        reason = "it is nested too deeply"
    raise PayloadRejected(f"{place}: not JSON, or cut short: {reason}; fetch it again")


def match_list(value: object, field_name: str | None, place: str) -> list[Any]:
    """The list of match objects: `value` itself, or the list at its `field_name`; raises PayloadRejected naming it."""
    if field_name is None:
        if isinstance(value, list):
            return value
        raise PayloadRejected(f"{place}: expected an array, got {kind_of(value)}: {shown(value)}")
    if not isinstance(value, dict):
        raise PayloadRejected(
            f"{place}: expected an object with the field {field_name}, got {kind_of(value)}"
        )
    if not isinstance(value.get(field_name), list):
        raise PayloadRejected(
            f"{place}: the field {field_name} is missing or not an array; the body begins {shown(value)}"
        )
    return list(value[field_name])


@dataclass(frozen=True)
class Fields:
    """A JSON object read by dotted paths. Methods raise FieldInvalid with the full path of the field."""

    value: Mapping[str, Any]
    at: str = ""

    def path(self, place: str) -> str:
        """The full path of a place in this object."""
        return f"{self.at}.{place}" if self.at else place

    def find(self, place: str) -> Any:
        """The value at `place`; None when it, or an object on the way to it, is missing."""
        value: Any = self.value
        for key in place.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def text(self, place: str) -> str:
        """A text of 1 to 200 characters; no-break spaces become spaces."""
        value = self.find(place)
        if not isinstance(value, str):
            raise FieldInvalid(self.path(place), value, "a text was expected")
        text = value.replace("\xa0", " ").strip()
        if not 0 < len(text) <= _LONGEST_TEXT or _NO_TEXT.search(text):
            raise FieldInvalid(
                self.path(place),
                value,
                f"not a text of 1 to {_LONGEST_TEXT} characters without control characters",
            )
        return text

    def identifier(self, place: str) -> str:
        """An id: a whole number, or a text of letters, digits, `_` and `-`."""
        value = self.find(place)
        text = str(value) if _is_int(value) else value
        if not (isinstance(text, str) and _IDENTIFIER.fullmatch(text)):
            raise FieldInvalid(
                self.path(place), value, "an id was expected: a whole number, or letters and digits"
            )
        return text

    def moment(self, place: str) -> datetime:
        """A time in UTC, from ISO 8601 with a zone or from seconds since 1970."""
        value = self.find(place)
        try:
            found = datetime.fromtimestamp(value, UTC) if _is_int(value) else datetime.fromisoformat(value)
            if found.year in _YEARS and found.tzinfo is not None:
                return found.astimezone(UTC)
        except (TypeError, ValueError, OverflowError, OSError):
            pass
        raise FieldInvalid(
            self.path(place),
            value,
            f"not a time as 2026-01-31T15:00:00Z between {_YEARS[0]} and {_YEARS[-1]}",
        )

    def day(self, place: str) -> date:
        """A calendar day, from `YYYY-MM-DD`."""
        value = self.find(place)
        try:
            found = date.fromisoformat(value)
        except (TypeError, ValueError):
            found = None
        if found is None or found.year not in _YEARS:
            raise FieldInvalid(
                self.path(place), value, f"not a day as 2026-01-31 between {_YEARS[0]} and {_YEARS[-1]}"
            )
        return found

    def count(self, place: str, most: int = MOST_GOALS) -> int | None:
        """A whole number from 0 to `most`, which may be written as text; None when it is missing."""
        value = self.find(place)
        if value is None:
            return None
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,4}", value):
            value = int(value)
        if not _is_int(value) or not 0 <= value <= most:
            raise FieldInvalid(self.path(place), value, f"not a whole number from 0 to {most}")
        return int(value)

    def pair(self, place: str, most: int = MOST_GOALS) -> tuple[int, int] | None:
        """`home` and `away` of a score; None when both are missing."""
        home, away = self.count(f"{place}.home", most), self.count(f"{place}.away", most)
        if home is None and away is None:
            return None
        if home is None or away is None:
            missing = "home" if home is None else "away"
            raise FieldInvalid(self.path(f"{place}.{missing}"), None, "only one side of the score is given")
        return home, away

    def year(self, place: str) -> int:
        """A year, as a number."""
        value = self.find(place)
        if not _is_int(value) or value not in _YEARS:
            raise FieldInvalid(self.path(place), value, f"not a year from {_YEARS[0]} to {_YEARS[-1]}")
        return int(value)

    def items(self, place: str) -> list[Any]:
        """A list."""
        value = self.find(place)
        if not isinstance(value, list):
            raise FieldInvalid(self.path(place), value, "an array was expected")
        return value

    def teams(self, home: str, away: str) -> tuple[str, str]:
        """The names of the two teams, which differ."""
        names = self.text(home), self.text(away)
        if names[0] == names[1]:
            raise FieldInvalid(
                self.path(away), names[1], "home and away team are the same", "team_against_itself"
            )
        return names

    def code(self, place: str, known: Mapping[str, T], rule: str, advice: str) -> T:
        """What `known` has for the text or number at `place`."""
        value = self.find(place)
        key = str(value) if _is_int(value) else value
        if not isinstance(key, str) or key not in known:
            raise FieldInvalid(self.path(place), value, advice, rule)
        return known[key]


def as_object(value: object, place: str) -> Fields:
    """The fields of an object at `place`; raises FieldInvalid for anything else."""
    if not isinstance(value, dict):
        raise FieldInvalid(place, value, f"expected an object, got {kind_of(value)}")
    return Fields(value, place)


def shown(value: object, longest: int = _LONGEST_TEXT) -> str | None:
    """A value as one line of printable ASCII for a report, cut when long; None stays None."""
    if value is None:
        return None
    if isinstance(value, str):
        # Cut early, so that a huge text costs nothing.
        text = value[: longest * 2].encode("ascii", "backslashreplace").decode()
        text = _NO_TEXT.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    else:
        try:
            text = json.dumps(value, default=str)
        except RecursionError:
            return "(nested too deeply to show)"
    return text if len(text) <= longest else text[: longest - 3] + "..."


def quoted_message(value: object) -> str:
    """A provider's message for use in our own error. Long runs of letters and digits are masked; they may be a key."""
    return _LONG_TOKEN.sub("***", shown(value) or "no message")


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float("inf")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def kind_of(value: object) -> str:
    """What a JSON value is, with its article."""
    kinds = {dict: "an object", list: "an array", str: "a text", bool: "a truth value", type(None): "null"}
    return kinds.get(type(value), "a number")
