"""Why a match was not predicted: every fixture of the horizon once, with the first reason that applies."""

from __future__ import annotations

import pytest

from touchline.database.engine import connect, rows
from touchline.settings import Settings
from unpredicted_world import build_unpredicted_world

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return build_unpredicted_world(module_settings, tmp_path_factory.mktemp("seasons"))


def reasons(settings: Settings) -> dict[tuple[str, str], str]:
    with connect(settings, "analyst") as connection:
        found = rows(connection, "select home_team, away_team, reason from analytics.unpredicted")
    assert (
        len(found)
        == len({(row["home_team"], row["away_team"]) for row in found if row["reason"] != "superseded"}) + 1
    )
    return {
        (row["home_team"], row["away_team"]): row["reason"] for row in found if row["reason"] != "superseded"
    }


def test_every_fixture_without_a_prediction_has_the_first_reason_that_applies(world: Settings):
    assert reasons(world) == {
        ("Leeds", "Burnley"): "begun",
        ("Leeds", "Arsenal"): "rejected",
        ("Nowhere Town", "Somewhere Rovers"): "unknown_team",
        ("Arsenal", "Fulham"): "quarantined",
        ("Home E1", "Away E1"): "held",
        ("Burnley", "Chelsea"): "called_off",
        ("Chelsea", "Everton"): "no_features",
        ("Home E2", "Away E2"): "gate",
        ("Everton", "Arsenal"): "waiting",
    }
