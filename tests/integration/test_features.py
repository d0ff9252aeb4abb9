"""Features through Feast on a small warehouse: training, publishing, online reads, and what happens when they fail."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import match_row
from psycopg import sql
from warehouse import build, land, round_robin

from touchline.database.engine import connect, open_url, rows
from touchline.errors import FeaturesUnavailable
from touchline.features.catalogue import FEATURES, GROUPS
from touchline.features.online import read_features
from touchline.features.store import open_store, publish_features
from touchline.features.training import training_frame
from touchline.settings import Settings

NOVEMBER = datetime(2022, 11, 1, tzinfo=UTC)
LATER = NOVEMBER + timedelta(hours=6, microseconds=250)
AHEAD = [("Arsenal", "Leeds", "02/11/2022"), ("Chelsea", "Fulham", "03/11/2022"), ("Burnley", "Everton", "05/11/2022")]


@pytest.fixture(scope="module")
def installed(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Fifteen played matches and three fixtures, landed and built as of November."""
    fixtures = [
        match_row(Date=date, HomeTeam=home, AwayTeam=away, FTHG="", FTAG="", FTR="", AvgCH="", AvgCD="", AvgCA="")
        for home, away, date in AHEAD
    ]
    sourced = land(module_settings, tmp_path_factory.mktemp("source"), [*round_robin(), *fixtures], NOVEMBER)
    build(sourced, NOVEMBER)
    return sourced


@pytest.fixture
def built(installed: Settings) -> Iterator[Settings]:
    """The warehouse as of November, with an empty online store; changes to the offline table are undone."""
    with connect(installed, "transform") as connection:
        connection.execute("create table features.kept as table features.match_features")
        connection.execute("drop schema feast cascade; create schema feast")
        connection.execute("grant usage on schema feast to touchline_model")
        connection.execute(
            "alter default privileges in schema feast grant select on tables to touchline_model"
        )
    yield installed
    with connect(installed, "transform") as connection:
        connection.execute("drop table if exists features.match_features cascade")
        connection.execute("alter table features.kept rename to match_features")


def fixture_ids(settings: Settings) -> list[str]:
    with connect(settings, "transform") as connection:
        found = rows(connection, "select match_id::text as id from core.match where not is_played order by kickoff_at")
    return [row["id"] for row in found]


def offline(settings: Settings, match_ids: list[str]) -> pd.DataFrame:
    query = (
        f"select match_id::text as match_id, {', '.join(FEATURES)} from features.match_features "
        "where match_id = any(%s::uuid[])"
    )
    with connect(settings, "transform") as connection:
        found = pd.DataFrame(rows(connection, query, (match_ids,)))
    return found.set_index("match_id").loc[match_ids].astype("float64")


def online_rows(settings: Settings) -> list[dict[str, Any]]:
    query = " union all ".join(
        f"select '{group}' as view, entity_key, feature_name, value, event_ts from feast.touchline_{group}"
        for group in GROUPS
    )
    with connect(settings, "transform") as connection:
        return rows(connection, f"{query} order by 1, 2, 3")


def change(settings: Settings, statement: str, parameters: Any = None) -> None:
    with connect(settings, "transform") as connection:
        connection.execute(statement, parameters)
