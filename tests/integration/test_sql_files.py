"""SQL files: each can be pasted into psql once its parameters have values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from served_world import World
from touchline.database.engine import connect, rows
from touchline.settings import PROJECT_ROOT

pytestmark = pytest.mark.slow

PACKAGE = PROJECT_ROOT / "include" / "touchline"
PREPARATION = PACKAGE / "quality/checks/prepare.sql"
# They read another database; the exporter's own tests run them.
OF_AIRFLOW = set(PACKAGE.glob("exporter/sql/airflow_*.sql"))
OF_A_GATE = {*PACKAGE.glob("quality/checks/*.sql"), PACKAGE / "quality/sql/quarantine.sql"}
# Those that the API asks have numbered parameters; its own tests run them all.
QUERIES = (
    {path for path in PACKAGE.glob("*/s*/*.sql") if "$1" not in path.read_text()} - OF_A_GATE - OF_AIRFLOW
)
UUID = "00000000-0000-0000-0000-000000000001"
LISTS = {
    "aliases", "competitions", "direct", "fixtures", "held", "known_since", "match_ids", "meets_once", "odds",
    "payload_ids", "priorities", "row_keys", "scores", "sources", "team_ids", "waiting",
}  # fmt: skip
NUMBERS = {
    "built_change_id", "change_id", "competition_hold_id", "highest", "limit", "look_back", "lowest", "payload_id",
    "reference", "share", "tolerance",
}  # fmt: skip
IDS = {"first_id", "last_id", "match_id", "prediction_id"}
INSTANTS = {
    "as_of", "at", "built_as_of", "correctable", "day", "features_as_of", "first", "kickoff_after", "kickoff_at",
    "last", "midnight", "observed_at", "since", "year_before",
}  # fmt: skip
VALUES = {
    **dict.fromkeys(LISTS, "{}"), **dict.fromkeys(NUMBERS, "1"), **dict.fromkeys(IDS, UUID),
    **dict.fromkeys(INSTANTS, "2022-10-14 12:00Z"), "ahead": "14 days",
    **dict.fromkeys(("is_home", "is_full", "is_played"), "true"),
}  # fmt: skip


def pasted(path: Path) -> str:
    """The file with quoted values in the place of its parameters."""
    text = path.read_text().replace("%%", "%")
    return re.sub(r"%\((\w+)\)s", lambda found: f"'{VALUES.get(found[1], 'E0')}'", text)


@pytest.mark.parametrize("path", sorted(QUERIES), ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_a_query_can_be_pasted(served_world: World, path: Path):
    with connect(served_world.settings, "owner") as connection:
        assert rows(connection, f"explain {pasted(path)}")


def test_the_checks_can_be_pasted_after_their_preparation(served_world: World):
    with connect(served_world.settings, "owner") as connection:
        connection.execute(pasted(PREPARATION))
        for path in sorted(OF_A_GATE - {PREPARATION}):
            assert rows(connection, f"explain {pasted(path)}")
