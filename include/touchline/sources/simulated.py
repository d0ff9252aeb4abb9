"""The addresses under which the simulated world's single server acts as each of the four providers."""

from __future__ import annotations

from typing import Final

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


def provider_address(server_address: str, source: str) -> str:
    """The base address at which the server at `server_address` acts as `source`. Raises KeyError when it does not."""
    return server_address if source == UK_FILES else f"{server_address}/{PREFIXES[source]}"


def split_path(path: str) -> tuple[str, str]:
    """Split a path without its leading slash into the source and the rest below that source's base."""
    for source, prefix in PREFIXES.items():
        if path.startswith(prefix + "/"):
            return source, path[len(prefix) + 1 :]
    return UK_FILES, path
