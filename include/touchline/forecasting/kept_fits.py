"""Fitted candidates on disk: what is fitted on the same matches is fitted once.

The seasons on which a version is tested are the same every night, and so are the matches before each of them. A night
then fits what is new, and forecasts the tested matches with what earlier nights fitted.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from touchline.forecasting.fingerprints import dataset_digest, modelling_digest
from touchline.forecasting.specs import Candidate, ForecasterParameters

log = logging.getLogger(__name__)

# Windows of the three seasons tested and the two rehearsed, for the champion's parameters and a challenger's.
MOST_KEPT: Final = 16


@dataclass(frozen=True)
class KeptFits:
    """A folder of fits, the least recently used of which are removed. Nobody else may write there: they are pickles."""

    folder: Path

    def path(self, before: pd.DataFrame, parameters: ForecasterParameters, names: Sequence[str]) -> Path:
        """Where fits of these names on the matches `before` are kept: by data, parameters and modelling code."""
        parts = json.dumps(
            [dataset_digest(before), asdict(parameters), list(names), modelling_digest()], sort_keys=True
        )
        return self.folder / f"{hashlib.sha256(parts.encode()).hexdigest()[:24]}.pickle"

    def read(self, path: Path) -> dict[str, Candidate] | None:
        """The candidates by name; None where none are kept, or what is kept cannot be read."""
        try:
            with path.open("rb") as file:
                found: dict[str, Candidate] = pickle.load(file)  # noqa: S301 written by `keep`, below home
            path.touch()
        except FileNotFoundError:
            return None
        except (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError) as error:
            log.warning("%s cannot be read (%s): it is fitted again", path, error)
            return None
        return found

    def keep(self, path: Path, candidates: Mapping[str, Candidate]) -> None:
        """Write candidates atomically, because half a file would be taken for a whole one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.draft")
        with draft.open("wb") as file:
            pickle.dump(dict(candidates), file, protocol=pickle.HIGHEST_PROTOCOL)
        draft.replace(path)
        kept = sorted(self.folder.glob("*.pickle"), key=_used_at)
        for old in kept[:-MOST_KEPT]:
            old.unlink(missing_ok=True)


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    # Another training has just removed it.
    except FileNotFoundError:
        return 0.0
