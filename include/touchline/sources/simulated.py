"""The addresses under which the simulated world's single server acts as each of the four providers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from touchline.errors import SourceUnavailable

UK_FILES: Final = "football_data_uk"
FOOTBALL_DATA_ORG: Final = "football_data_org"
THE_ODDS_API: Final = "the_odds_api"
API_FOOTBALL: Final = "api_football"
# The files of football-data.co.uk are at the root.
PREFIXES: Final = {
    FOOTBALL_DATA_ORG: "football_data_org/v4",
    THE_ODDS_API: "the_odds_api/v4",
    API_FOOTBALL: "api_football",
}

# The clock at each reply: it may be moved while a run goes on.
CLOCK_HEADER: Final = "simulated-clock"


def told_at(headers: Mapping[str, str]) -> datetime:
    """The simulated world's clock (UTC) when it gave a reply with these headers (names in lower case).

    Raises SourceUnavailable when the server does not say.
    """
    if CLOCK_HEADER not in headers:
        raise SourceUnavailable(
            "the server does not say what time it is in the simulated world; `make down`, then `make up`"
        )
    return datetime.fromisoformat(headers[CLOCK_HEADER])


def provider_address(server_address: str, source: str) -> str:
    """The base address at which the server at `server_address` acts as `source`. Raises KeyError when it does not."""
    return server_address if source == UK_FILES else f"{server_address}/{PREFIXES[source]}"


def split_path(path: str) -> tuple[str, str]:
    """Split a path without its leading slash into the source and the rest below that source's base."""
    for source, prefix in PREFIXES.items():
        if path.startswith(prefix + "/"):
            return source, path[len(prefix) + 1 :]
    return UK_FILES, path
