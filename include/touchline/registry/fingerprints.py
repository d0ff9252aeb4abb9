"""What a model was made of, in digests: the same three digests mean the same model."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pandas as pd

from touchline import __version__, forecasting
from touchline.features.catalogue import FEATURES
from touchline.forecasting.forecaster import ForecasterParameters
from touchline.settings import PROJECT_ROOT

MODELLING = Path(forecasting.__file__).parent
SHORT = 12


def dataset_digest(matches: pd.DataFrame) -> str:
    """SHA-256 over names, order and values of the training matches, the same on every machine."""
    digest = hashlib.sha256(json.dumps([str(name) for name in matches.columns]).encode())
    digest.update(pd.util.hash_pandas_object(matches, index=False).to_numpy().tobytes())
    return digest.hexdigest()


@cache
def modelling_digest() -> str:
    """SHA-256 over the sources of touchline.forecasting, which decide what a model is."""
    digest = hashlib.sha256()
    for path in sorted(MODELLING.rglob("*.py")):
        digest.update(f"{path.relative_to(MODELLING)}|".encode() + path.read_bytes())
    return digest.hexdigest()


def training_key(matches: pd.DataFrame, parameters: ForecasterParameters, n_seasons: int) -> str:
    """SHA-256 of data, parameters, number of evaluated seasons, and modelling code."""
    parts = [dataset_digest(matches), asdict(parameters), n_seasons, modelling_digest()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def recipe(parameters: ForecasterParameters) -> str:
    """SHA-256 of how a model is made: parameters, features and modelling code, but not the data and the seed."""
    values = {name: value for name, value in asdict(parameters).items() if name != "seed"}
    parts = [values, list(FEATURES), modelling_digest()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def code_version() -> str:
    """Package version with the git commit, `.dirty` when files differ from it; without git a source digest."""
    commit = _git("rev-parse", f"--short={SHORT}", "HEAD")
    if commit is None:
        return f"{__version__}+sources.{modelling_digest()[:SHORT]}"
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return f"{__version__}+git.{commit}" + (".dirty" if changed else "")


def _git(*arguments: str) -> str | None:
    try:
        found = subprocess.run(
            ["git", "-C", str(PROJECT_ROOT), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
