"""A played October among six teams and a fixture ahead of them, built in full."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from builders import match_row
from touchline.settings import Settings
from touchline.warehouse.build import build_layer
from warehouse import build, land, round_robin

NOW = datetime(2022, 11, 2, 12, tzinfo=UTC)
AHEAD = {"Date": "02/11/2022", "Time": "15:00", "HomeTeam": "Leeds", "AwayTeam": "Arsenal"}
UNPLAYED = match_row(**AHEAD, FTHG="", FTAG="", FTR="")


def build_october(empty: Settings, folder: Path) -> Settings:
    """Land and build as of NOW, three hours before the fixture."""
    settings = land(empty, folder, [*round_robin(), UNPLAYED], NOW)
    build(settings, NOW)
    build_layer(settings, "analytics", NOW, "build")
    return settings
