"""Digests of everything that determines forecasts: the same digests mean the same forecasts."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pandas as pd

PACKAGE = Path(__file__).parents[1]
# Sources outside touchline.forecasting that its designs depend on.
SHARED_SOURCES = (
    "overround.py", "features/catalogue.py",
    "ratings/compiled.py", "ratings/elo.py", "ratings/pi.py", "ratings/strength.py",
)  # fmt: skip
LIBRARIES = ("lightgbm", "numba", "numpy", "pandas", "scikit-learn", "scipy")


def dataset_digest(matches: pd.DataFrame) -> str:
    """SHA-256 over names, order and values of the training matches, the same on every machine."""
    digest = hashlib.sha256(json.dumps([str(name) for name in matches.columns]).encode())
    digest.update(pd.util.hash_pandas_object(matches, index=False).to_numpy().tobytes())
    return digest.hexdigest()


@cache
def modelling_digest(package: Path = PACKAGE) -> str:
    """SHA-256 over what determines a model besides data and parameters: our source files and the libraries' versions.

    The report is left out, because it does not affect forecasts. `package` is the folder of touchline.
    """
    own = set(package.joinpath("forecasting").rglob("*.py"))
    own -= set(package.joinpath("forecasting", "report").rglob("*.py"))
    digest = hashlib.sha256()
    for path in sorted(own | {package / name for name in SHARED_SOURCES}):
        digest.update(f"{path.relative_to(package)}|".encode() + path.read_bytes())
    digest.update("|".join(f"{name} {version(name)}" for name in LIBRARIES).encode())
    return digest.hexdigest()
