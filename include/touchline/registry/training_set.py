"""The matches that a model learns from, and the seasons on which it is tested."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from touchline.errors import ModelUnavailable
from touchline.features.training import training_frame
from touchline.quality.gates import check_training
from touchline.settings import Settings

FEWEST_MATCHES = 300


def learnable_matches(settings: Settings, as_of: datetime, run_id: str) -> pd.DataFrame:
    """Every match known at `as_of` since `settings.training_since`, features joined as of each kick-off.

    Competitions that the gate on training sets holds are left out. Raises QualityGateFailed.
    """
    matches = training_frame(settings, as_of, since=settings.training_since)
    if matches.empty:
        return matches
    held = check_training(settings, matches, as_of, run_id).held
    return matches[~matches["competition"].isin(held)].reset_index(drop=True)


def evaluated_seasons(matches: pd.DataFrame, n: int, as_of: datetime) -> list[str]:
    """The last `n` of the seasons that began after at least `FEWEST_MATCHES` matches.

    Raises ModelUnavailable when there is none.
    """
    firsts = matches.groupby("season")["kickoff_at"].min().sort_values()
    usable = [
        str(season)
        for season, first in firsts.items()
        if (matches["kickoff_at"] < first).sum() >= FEWEST_MATCHES
    ]
    if not usable:
        raise ModelUnavailable(
            f"{len(matches)} played matches are known as of {as_of.isoformat()}, none of them in a season with "
            f"{FEWEST_MATCHES} before it: too few to learn from; collect earlier seasons, then build"
        )
    return usable[-n:]


def gate_seasons(matches: pd.DataFrame) -> list[str]:
    """The seasons on which versions are compared: the last, and as many before it as make `FEWEST_MATCHES`.

    `matches` has one row per match and a column `season`. Tuning does not use these seasons.
    """
    sizes = matches.groupby("season").size().sort_index(ascending=False).cumsum()
    n_seasons = min(int((sizes < FEWEST_MATCHES).sum()) + 1, len(sizes))
    return sorted(str(season) for season in sizes.index[:n_seasons])
