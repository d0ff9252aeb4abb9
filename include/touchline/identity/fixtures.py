"""The key of a match: one UUID in every source, table and answer."""

from __future__ import annotations

import hashlib
from datetime import date
from uuid import UUID


def fixture_key(competition: str, day: date, home_team: str, away_team: str) -> UUID:
    """Key of a match first announced for `day` (in the United Kingdom): MD5 of `competition|date|home|away`.

    The day is part of the key because a pairing can be played up to four times in a season. A match keeps its key
    when it is moved. Teams are canonical names.
    """
    name = f"{competition}|{day.isoformat()}|{home_team}|{away_team}"
    return UUID(bytes=hashlib.md5(name.encode(), usedforsecurity=False).digest())
