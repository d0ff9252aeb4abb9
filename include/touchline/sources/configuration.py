"""`config/sources.yaml` as checked values: what each source gives for which competition, and which takes precedence."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from touchline.errors import SettingsInvalid
from touchline.settings import PROJECT_ROOT
from touchline.sources.kinds import KINDS, Kind

DEFAULT_PATH = PROJECT_ROOT / "config" / "sources.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfiguration(_Strict):
    """One source. `competitions` maps our code to the provider's. Limits are the provider's, or tighter."""

    address: str
    gives: tuple[Kind, ...]
    competitions: dict[str, str]
    enabled: bool = True
    needs_key: bool = False
    calls_per_minute: float = Field(gt=0)
    keep_credits: int = Field(default=0, ge=0)
    credits_per_day: int | None = Field(default=None, gt=0)
    history_seasons: int = Field(default=10, ge=1)
    regions: tuple[str, ...] = ("uk", "eu")
    markets: tuple[str, ...] = ("h2h",)


class SandboxConfiguration(_Strict):
    """What differs in the simulated world: the pace, and the competitions of each source."""

    calls_per_minute: float = Field(gt=0)
    competitions: dict[str, dict[str, str]]


class SourcesConfiguration(_Strict):
    """The whole file."""

    sources: dict[str, SourceConfiguration]
    priorities: dict[Kind, tuple[str, ...]]
    sandbox: SandboxConfiguration
    bookmakers: dict[str, dict[str, str]] = {}

    @field_validator("priorities")
    @classmethod
    def _has_every_kind(cls, given: dict[Kind, tuple[str, ...]]) -> dict[Kind, tuple[str, ...]]:
        missing = [kind for kind in KINDS if kind not in given]
        if missing:
            raise ValueError(f"say whose word counts for {', '.join(missing)}, too: a list of sources")
        return given

    def bookmaker(self, source: str, name: str) -> str:
        """The warehouse's name of a bookmaker."""
        return self.bookmakers.get(source, {}).get(name, name)

    def in_sandbox(self, source: str, address: str) -> SourceConfiguration:
        """The same source as served by the simulated world at `address`."""
        changes = {
            "address": address,
            "calls_per_minute": self.sandbox.calls_per_minute,
            "credits_per_day": None,
            "keep_credits": 0,
            "competitions": self.sandbox.competitions[source],
        }
        return self.sources[source].model_copy(update=changes)


@lru_cache
def read_configuration(path: Path = DEFAULT_PATH) -> SourcesConfiguration:
    """Read and check the file; raises SettingsInvalid that names the file, the place in it and what is wrong."""
    try:
        return SourcesConfiguration.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise SettingsInvalid(f"{path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SettingsInvalid(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsInvalid(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
