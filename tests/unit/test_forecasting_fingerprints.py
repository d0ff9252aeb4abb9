"""The digest of the code that makes forecasts: it changes with all that decides them, and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from touchline.forecasting.fingerprints import PACKAGE, modelling_digest


@pytest.mark.parametrize(
    ("source", "decides"),
    [
        ("forecasting/no_odds.py", True),
        ("forecasting/specs.py", True),
        ("overround.py", True),
        ("ratings/strength.py", True),
        ("features/catalogue.py", True),
        ("forecasting/report/frame.py", False),
        ("ratings/update.py", False),
    ],
)
def test_the_digest_changes_with_what_decides_forecasts(tmp_path: Path, source: str, decides: bool):
    copies = [tmp_path / "one" / "touchline", tmp_path / "other" / "touchline"]
    for copy in copies:
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert modelling_digest(copies[0]) == modelling_digest()
    with (copies[1] / source).open("a") as file:
        file.write("\nCHANGED = True\n")
    assert (modelling_digest(copies[1]) != modelling_digest()) == decides
