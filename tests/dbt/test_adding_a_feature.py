"""A feature added to a copy of the project as CONTRIBUTING says, and what it then gets without writing it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from touchline.settings import PROJECT_ROOT, Settings
from warehouse import round_robin

# By day tests/unit/test_feature_page.py holds the YAML to the catalogue, and its contract the SQL to the YAML.
pytestmark = [pytest.mark.slow, pytest.mark.nightly]

CATALOGUE = "include/touchline/features/catalogue.py"
SQL = "dbt_project/models/features/match_features.sql"
COLUMNS = "dbt_project/models/features/match_features.yml"
ENTRY = '("goals_ahead", "goal difference of the season", "goals"),'
EXPRESSION = (
    "({{ side }}_table.goals_for - {{ side }}_table.goals_against)::double precision\n"
    "            as {{ side }}_goals_ahead,"
)
# Each is put before a line that is there.
EDITS = {
    CATALOGUE: ('("n_played", "matches played in the season", "matches"),', ENTRY),
    SQL: ("coalesce({{ side }}_table.n_played, 0)::double precision as {{ side }}_n_played,", EXPRESSION),
}
LOOK = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from touchline.database.engine import connect, rows
from touchline.features.catalogue import FEATURES, GROUPS
from touchline.features.store import definitions, publish_features
from touchline.features.training import training_frame
from touchline.forecasting.design_sources import sources
from touchline.forecasting.report.feature_page import describe_features, feature_page
from touchline.openlineage.columns import origins, read_warehouse
from touchline.monitoring.feature_drift import COMPARED
from touchline.settings import Settings
from warehouse import build, land, round_robin

november = datetime(2022, 11, 1, tzinfo=UTC)
settings = Settings(home=Path(sys.argv[1]), database_name=sys.argv[2])
settings = land(settings, Path(sys.argv[3]), round_robin(), november)
build(settings, november)
publish_features(settings, november, "test")
matches = training_frame(settings, november)
with connect(settings, "transform") as connection:
    (last,) = rows(
        connection,
        "select home_goals_ahead, pg_typeof(home_goals_ahead)::text as type, col_description(attrelid, attnum) as said "
        "from features.match_features, pg_attribute where attrelid = 'features.match_features'::regclass "
        "and attname = 'home_goals_ahead' order by kickoff_at desc limit 1",
    )
    (origin,) = origins(read_warehouse(settings, connection), "features.match_features.home_goals_ahead")
print(json.dumps({
    "value": last["home_goals_ahead"],
    "type": last["type"],
    "comment": last["said"],
    "is_of_context": "home_goals_ahead" in GROUPS["match_context"],
    "served": [field.name for view in definitions(7)[1:-1] for field in view.schema if "goals_ahead" in field.name],
    "trained": matches["home_goals_ahead"].iloc[-1],
    "seen": {name: made for name, made in sources("no_odds").items() if "goals_ahead" in name},
    "is_compared": "home_goals_ahead" in COMPARED,
    "page": feature_page(describe_features(matches, None), matches),
    "sources": origin.sources,
}))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with the feature in it: two files edited, the third written by the command."""
    copy = tmp_path_factory.mktemp("project")
    for folder in ("include", "dbt_project", "config"):
        shutil.copytree(PROJECT_ROOT / folder, copy / folder)
    for name, (before, new) in EDITS.items():
        text = (copy / name).read_text()
        assert text.count(before) == 1
        (copy / name).write_text(text.replace(before, f"{new}\n        {before}"))
    _python(copy, "-m", "touchline.features.columns")
    return copy


def _python(project: Path, *arguments: str) -> str:
    tests = PROJECT_ROOT / "tests"
    paths = os.pathsep.join(str(path) for path in (project / "include", tests, tests / "worlds"))
    done = subprocess.run(
        [sys.executable, *arguments], cwd=project, env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def found(
    project: Path, module_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    files = tmp_path_factory.mktemp("files")
    told = _python(
        project, "-c", LOOK, str(module_settings.home), module_settings.warehouse_database, str(files)
    )
    # What dbt parsed of the copy is not for the next database of this name.
    shutil.rmtree(module_settings.home / "dbt" / module_settings.warehouse_database)
    answer: dict[str, Any] = json.loads(told.splitlines()[-1])
    return answer


def test_three_files_are_touched(project: Path):
    touched = {
        path.relative_to(project).as_posix()
        for path in project.rglob("*.*")
        if path.suffix in (".py", ".sql", ".yml", ".yaml", ".csv")
        and path.read_bytes() != (PROJECT_ROOT / path.relative_to(project)).read_bytes()
    }
    assert touched == {CATALOGUE, SQL, COLUMNS}


def test_the_feature_is_a_column_with_a_promised_type_and_a_comment(found: dict[str, Any]):
    assert found["type"] == "double precision"
    assert found["comment"] == "Goal difference of the season, of the home side."


def test_models_are_trained_and_served_with_it(found: dict[str, Any]):
    *before, last = round_robin()
    team = last["HomeTeam"]
    ahead = [
        (match["HomeTeam"], match["AwayTeam"], int(match["FTHG"]) - int(match["FTAG"])) for match in before
    ]
    expected = sum(goals if home == team else -goals for home, away, goals in ahead if team in (home, away))
    assert expected != 0
    assert found["value"] == found["trained"] == expected
    assert sorted(found["served"]) == ["away_goals_ahead", "home_goals_ahead"]
    assert found["seen"] == {
        "home_goals_ahead": ["home_goals_ahead"],
        "away_goals_ahead": ["away_goals_ahead"],
        "gap_goals_ahead": ["home_goals_ahead", "away_goals_ahead"],
    }


def test_drift_and_lineage_know_it_and_the_page_describes_it(found: dict[str, Any]):
    assert found["is_of_context"]
    assert not found["is_compared"]
    assert {"landing.score_observation.home_goals", "landing.score_observation.away_goals"} <= set(
        found["sources"]
    )
    assert "| `home_goals_ahead`: goal difference of the season, of the home side | goals |" in found["page"]
