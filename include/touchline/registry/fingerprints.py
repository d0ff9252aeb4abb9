"""Digests of what a model was made of: the same three digests mean the same model."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import asdict

import pandas as pd

from touchline import __version__
from touchline.features.catalogue import FEATURES
from touchline.forecasting.fingerprints import dataset_digest, modelling_digest
from touchline.forecasting.specs import ForecasterParameters
from touchline.settings import PROJECT_ROOT

SHORT = 12


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
