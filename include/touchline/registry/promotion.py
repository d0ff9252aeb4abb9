"""The gate: a new version becomes champion only if it is not worse on matches neither model had seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from touchline.forecasting.metrics import Difference, log_loss, paired_difference, resample_matchdays
from touchline.forecasting.walk_forward import probability_columns

PREDICTIONS = "predictions/walk_forward.parquet"
# Mean log loss a version may lose by chance: a quarter of what lies between pre-match and closing market.
LARGEST_LOSS = 0.001


@dataclass(frozen=True)
class Verdict:
    """Whether the new version may become champion, and why. `difference` is new minus champion, in log loss."""

    is_promoted: bool
    reason: str
    n_matches: int = 0
    difference: Difference | None = None


def judge(
    new: pd.DataFrame, new_primary: str, champion: pd.DataFrame, champion_primary: str, seed: int
) -> Verdict:
    """Compare walk-forward predictions, each by models fitted before the season, on the last season of `new`.

    Not worse means: the mean log loss is at most `LARGEST_LOSS` higher, and the 95 % interval of the paired
    difference reaches below zero. Without a common match of that season nothing is proven, and nothing moves.
    """
    last_season = new[new["season"] == new["season"].max()]
    common = last_season.merge(champion, on="match_id", suffixes=("", "_champion"))
    p_new = common[probability_columns(new_primary)].to_numpy(dtype=np.float64)
    p_champion = common[[f"{name}_champion" for name in probability_columns(champion_primary)]].to_numpy(
        dtype=np.float64
    )
    known = np.isfinite(p_new).all(axis=1) & np.isfinite(p_champion).all(axis=1)
    if not known.any():
        return Verdict(
            False, "the champion has forecast no match of the last season; promote by hand if wanted"
        )
    outcomes = common["outcome"].to_numpy(dtype=np.int64)[known]
    difference = paired_difference(
        log_loss(p_new[known], outcomes),
        log_loss(p_champion[known], outcomes),
        resample_matchdays(common["kickoff_at"].dt.date.to_numpy()[known], seed),
    )
    is_promoted = difference.difference <= LARGEST_LOSS and difference.low <= 0
    reason = (
        f"log loss {difference.difference:+.5f} [{difference.low:+.5f}, {difference.high:+.5f}] against the "
        f"champion on {known.sum():,} held-out matches of {last_season['season'].iloc[0]}"
    )
    return Verdict(bool(is_promoted), reason, int(known.sum()), difference)


def walk_forward_of(client: Any, run_id: str, folder: Path) -> pd.DataFrame:
    """The predictions logged with a version, downloaded below `folder`."""
    return pd.read_parquet(client.download_artifacts(run_id, PREDICTIONS, str(folder)))
