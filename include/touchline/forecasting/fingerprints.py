"""What forecasts are made of, in digests: the same digests mean the same forecasts."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import pandas as pd

MODELLING = Path(__file__).parent


def dataset_digest(matches: pd.DataFrame) -> str:
    """SHA-256 over names, order and values of the training matches, the same on every machine."""
    digest = hashlib.sha256(json.dumps([str(name) for name in matches.columns]).encode())
    digest.update(pd.util.hash_pandas_object(matches, index=False).to_numpy().tobytes())
    return digest.hexdigest()


@cache
def modelling_digest() -> str:
    """SHA-256 over the sources of touchline.forecasting, which decide what a model is; how it is reported does not."""
    digest = hashlib.sha256()
    for path in sorted(set(MODELLING.rglob("*.py")) - set(MODELLING.joinpath("report").rglob("*.py"))):
        digest.update(f"{path.relative_to(MODELLING)}|".encode() + path.read_bytes())
    return digest.hexdigest()
