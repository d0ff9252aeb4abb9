"""Every line of docs/situations.md names a test, and the test is there."""

from __future__ import annotations

import re
from pathlib import Path

from touchline.settings import PROJECT_ROOT

PYTHON = re.compile(r"^def (test_\w+)", re.MULTILINE)
DBT = re.compile(r"^  - name: (\w+)", re.MULTILINE)


def names(folder: Path, files: str, pattern: re.Pattern[str]) -> set[str]:
    return {name for path in folder.rglob(files) for name in pattern.findall(path.read_text())}


def test_every_situation_names_a_test_that_is_there():
    lines = (PROJECT_ROOT / "docs" / "situations.md").read_text().splitlines()
    named = [re.search(r"\| `(\w+)` \|$", line) for line in lines if re.match(r"\| [^s-]", line)]
    there = names(PROJECT_ROOT / "tests", "test_*.py", PYTHON) | names(
        PROJECT_ROOT / "dbt_project" / "models", "*_unit_tests.yml", DBT
    )
    assert len(named) > 40
    assert all(named), "a line names no test"
    assert {match.group(1) for match in named if match} <= there
