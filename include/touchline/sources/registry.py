"""Open the sources that the settings ask for. A new one is a line in FACTORIES and an entry in config/sources.yaml."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import SecretStr

from touchline.clock import RunClock
from touchline.errors import SettingsInvalid, SourceUnavailable, nearest
from touchline.identity.teams import ANCHOR
from touchline.settings import LIVE, SANDBOX, Settings
from touchline.sources.configuration import SourceConfiguration, read_configuration
from touchline.sources.football_data_uk.folder import FolderSource
from touchline.sources.governor import DatabaseGovernor
from touchline.sources.http import Dialect, ProviderClient, RawReply
from touchline.sources.simulated import provider_address, told_at
from touchline.sources.source import Kind, Source

# Source -> module, class, dialect. The class is constructed from its SourceConfiguration and its ProviderClient.
FACTORIES: Final[dict[str, tuple[str, str, str]]] = {
    "football_data_uk": ("touchline.sources.football_data_uk.site", "SiteSource", "SiteDialect"),
    "football_data_org": ("touchline.sources.football_data_org", "FootballDataOrg", "FootballDataOrgDialect"),
    "the_odds_api": ("touchline.sources.the_odds_api", "TheOddsApi", "TheOddsApiDialect"),
    "api_football": ("touchline.sources.api_football", "ApiFootball", "ApiFootballDialect"),
}
SANDBOX_KEY: Final = SecretStr("key-of-the-simulated-world")

State = Literal["in use", "no key", "switched off", "not asked for"]


@dataclass(frozen=True)
class SourcePlan:
    """A configured source and whether these settings use it."""

    name: str
    state: State
    configuration: SourceConfiguration
    key: SecretStr | None = None


def plan_sources(settings: Settings) -> list[SourcePlan]:
    """Every configured source in the order of the file, and whether it is in use."""
    configuration = read_configuration(settings.sources_file)
    plans = []
    for name, configured in configuration.sources.items():
        used: State = "in use"
        if settings.is_simulated:
            if name not in configuration.sandbox.competitions:
                continue
            source = configuration.in_sandbox(name, provider_address(settings.sandbox_address, name))
            key: SecretStr | None = SANDBOX_KEY
        else:
            source, key = configured, settings.source_key(name)
            if settings.source != LIVE and provider_name(settings) != name:
                used = "not asked for"
            elif source.needs_key and key is None:
                used = "no key"
        if not source.enabled:
            used = "switched off"
        plans.append(SourcePlan(name, used, source, key))
    return plans


def provider_name(settings: Settings) -> str | None:
    """The configured source that the settings name, as `football-data-uk` or `football_data_uk`; else None."""
    name = settings.source.replace("-", "_")
    return name if name in read_configuration(settings.sources_file).sources else None


def source_folder(settings: Settings) -> Path | None:
    """The folder of season files the settings name, or None when they name no folder.

    Raises SettingsInvalid when there is no such folder and the name is nearly that of a source.
    """
    if settings.source in (SANDBOX, LIVE) or provider_name(settings) is not None:
        return None
    folder = Path(settings.source).expanduser().absolute()
    names = (SANDBOX, LIVE, *read_configuration(settings.sources_file).sources)
    if not folder.exists() and (meant := nearest(settings.source, names)) is not None:
        raise SettingsInvalid(
            f"TOUCHLINE_SOURCE: there is no source or folder {settings.source}; did you mean {meant}?"
        )
    return folder


def sources_giving(settings: Settings, kind: Kind) -> list[str]:
    """Names of the sources in use that give a kind of facts."""
    if source_folder(settings) is not None:
        return [ANCHOR]
    plans = plan_sources(settings)
    return [plan.name for plan in plans if plan.state == "in use" and kind in plan.configuration.gives]


@contextmanager
def open_sources(settings: Settings, clock: RunClock, only: Sequence[str] = ()) -> Iterator[list[Source]]:
    """The sources in use (limited to `only`, if given), ready to be asked in a run of this clock.

    Raises SourceUnavailable when the folder is missing, or no source is left.
    """
    folder = source_folder(settings)
    with ExitStack() as stack:
        if folder is not None:
            anchor = read_configuration(settings.sources_file).sources[ANCHOR]
            yield [FolderSource(folder, anchor.competitions.values())]
            return
        plans = [plan for plan in plan_sources(settings) if not only or plan.name in only]
        used = [plan for plan in plans if plan.state == "in use"]
        if not used:
            told = ", ".join(f"{plan.name}: {plan.state}" for plan in plans) or "none of that name"
            raise SourceUnavailable(
                f"no source to ask ({told}); set TOUCHLINE_<SOURCE>_KEY, or see config/sources.yaml"
            )
        yield [_open(settings, plan, clock, stack) for plan in used]


def _open(settings: Settings, plan: SourcePlan, clock: RunClock, stack: ExitStack) -> Source:
    module_name, class_name, dialect_name = FACTORIES[plan.name]
    module = importlib.import_module(module_name)
    factory: Callable[[SourceConfiguration, ProviderClient], Source] = getattr(module, class_name)
    configuration = plan.configuration.model_copy(update={"history_seasons": settings.history_seasons})
    governor = stack.enter_context(DatabaseGovernor(settings, plan.name, configuration, clock.as_of))
    dialect: Dialect = getattr(module, dialect_name)()
    # Waiting does not advance the simulated world's clock, so there is no point in it before a retry.
    sleep = _not_at_all if settings.is_simulated else time.sleep

    def observed_at(reply: RawReply) -> datetime:
        return told_at(reply.headers) if settings.is_simulated else clock.now()

    client = ProviderClient(
        plan.name, configuration.address, dialect, governor, plan.key, sleep, observed_at=observed_at
    )
    return factory(configuration, stack.enter_context(client))


def _not_at_all(seconds: float) -> None:
    del seconds
