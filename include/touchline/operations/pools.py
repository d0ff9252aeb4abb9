"""Airflow's pools: how many tasks of a kind may run at once."""

from __future__ import annotations

from collections.abc import Mapping

from touchline.operations.names import POOLS
from touchline.settings import Settings
from touchline.sources.configuration import read_configuration


def pool_of(source: str) -> str:
    """The pool of the tasks that ask a source."""
    return f"source_{source}"


def pools(settings: Settings) -> Mapping[str, tuple[int, str]]:
    """Every pool: name -> (slots, description). A task that waits in deferral holds no slot.

    One slot for each source of `config/sources.yaml`: its limits are the same for all that ask it, and nobody waits for
    the answers of another source. Raises SettingsInvalid.
    """
    sources = read_configuration(settings.sources_file).sources
    return {**POOLS, **{pool_of(name): (1, f"tasks that ask {name}, one at a time") for name in sources}}
