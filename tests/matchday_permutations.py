"""Which features go with their own match's result beyond what the closing price knew of it: a permutation test.

What a result is beyond its closing price is news to everybody. Exchanged between matches that kick off together it
goes with nothing, so how strongly the best of all features goes with it by chance can be seen. The largest is compared
with the largest (Westfall & Young 1993): the level holds for all features together.

Matches of a week would not do: those on Sunday know the results of Saturday, as they may, and less their common mean
both look as if they knew each other's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from touchline.features.catalogue import FEATURES
from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import OUTCOMES
from touchline.overround import remove_overround

N_PERMUTATIONS = 300
LEVEL = 0.01


def features_that_know_the_result(matches: pd.DataFrame, seed: int) -> list[str]:
    """Names of features of a training frame, strongest first; matches without closing prices are left out."""
    closing = remove_overround(
        matches[[f"closing_price_{outcome}" for outcome in OUTCOMES]].astype("float64")
    )
    is_priced = np.isfinite(closing).all(axis=1)
    priced, closing = matches[is_priced], closing[is_priced]
    blocks = pd.factorize(priced["kickoff_at"])[0].astype(np.int64)
    happened = np.eye(len(OUTCOMES))[priced["outcome"].to_numpy(dtype=np.int64)]
    news = happened - closing
    # Who won, and whether anybody did.
    targets = _within(np.column_stack([news[:, 0] - news[:, 2], news[:, 1]]), blocks)
    known = _within(priced[list(FEATURES)].to_numpy(dtype=np.float64), blocks)
    rng = np.random.default_rng(seed)
    in_order = np.argsort(blocks, kind="stable")
    largest = np.empty(N_PERMUTATIONS)
    for number in range(N_PERMUTATIONS):
        exchanged = np.empty_like(targets)
        exchanged[in_order] = targets[np.lexsort((rng.random(len(blocks)), blocks))]
        largest[number] = np.abs(known.T @ exchanged).max()
    found = np.abs(known.T @ targets).max(axis=1)
    limit = np.quantile(largest, 1 - LEVEL)
    return [FEATURES[place] for place in np.argsort(-found) if found[place] > limit]


def _within(values: Floats, blocks: NDArray[np.int64]) -> Floats:
    """Columns less their block's mean, of length one; unknown as the mean, and what never varies as nothing."""
    frame = pd.DataFrame(values)
    apart = (frame - frame.groupby(blocks).transform("mean")).fillna(0).to_numpy()
    length = np.linalg.norm(apart, axis=0)
    return np.asarray(apart / np.where(length > 1e-9, length, 1), dtype=np.float64)
