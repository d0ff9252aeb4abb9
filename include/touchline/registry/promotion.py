"""The gate: which trained version becomes champion, on evidence from matches that neither version had seen.

It asks three questions, in this order. Is the version too good to be true? Is it as good as the free forecasts, the
market's prices or base rates? Is it as good as the champion or, with another recipe, better?
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from touchline.forecasting.logistic import Floats, Ints
from touchline.forecasting.metrics import Difference, log_loss, paired_difference, resample_matchdays
from touchline.forecasting.specs import BASE_RATES, MARKET_PREMATCH
from touchline.forecasting.walk_forward import probabilities_of, probability_columns
from touchline.registry.leakage import Leak, leaking_forecast
from touchline.registry.tracking import stored_file
from touchline.registry.training_set import FEWEST_MATCHES, gate_seasons

PREDICTIONS = "predictions/walk_forward.parquet"
# How much mean log loss a version may lose and still not be worse: a quarter of the gap from pre-match to closing
# market.
LARGEST_LOSS = 0.001
# A model that is surely more nats than this behind the market (or base rates) is not worth publishing.
LARGEST_DEFICIT = 0.002
# Two versions whose probabilities differ by less are the same model, whatever their code looks like.
SAME_PROBABILITY = 1e-6
SHOWN_SIGNS = 5

State = Literal["promoted", "challenger", "refused"]


@dataclass(frozen=True)
class Contestant:
    """A version before the gate: its walk_forward frame, primary forecast, recipe, and the end of its data."""

    predictions: pd.DataFrame
    primary: str
    recipe: str
    trained_until: datetime


@dataclass(frozen=True)
class Rules:
    """`confidence` is the probability of being better that a version with another recipe has to reach. `patience` is
    how long the champion's data may end before those of a version that is merely not worse. `seed` is the bootstrap's.
    """

    confidence: float
    patience: timedelta
    seed: int


@dataclass(frozen=True)
class Comparison:
    """Mean log loss of one forecast minus another's on the same matches; `p_better` that the first is better."""

    n_matches: int
    difference: Difference
    p_better: float

    def __str__(self) -> str:
        found = self.difference
        return f"log loss {found.difference:+.5f} [{found.low:+.5f}, {found.high:+.5f}]"


@dataclass(frozen=True)
class Verdict:
    """The decision about a version, and why. `comparison` is with the champion, None where there was none.

    `is_below_floor` is True when a refused version is worse than the market's free prices.
    """

    state: State
    reasons: tuple[str, ...]
    comparison: Comparison | None = None
    is_below_floor: bool = False

    @property
    def reason(self) -> str:
        """All reasons in one line."""
        return "; ".join(self.reasons)


def judge(new: Contestant, champion: Contestant | None, leaks: tuple[Leak, ...], rules: Rules) -> Verdict:
    """The verdict on a new version; `leaks` are what `leakage.leaking_features` found in its training frame."""
    signs = (*leaks, *leaking_forecast(new.predictions, new.primary, rules.seed))
    if signs:
        rest = (f"and {len(signs) - SHOWN_SIGNS} more",) if len(signs) > SHOWN_SIGNS else ()
        return Verdict("refused", (*(str(leak) for leak in signs[:SHOWN_SIGNS]), *rest))
    is_worth_it, floor = _floor(new, rules)
    if not is_worth_it:
        return Verdict("refused", (f"not worth publishing: {floor}",), is_below_floor=True)
    if champion is None:
        return Verdict("promoted", ("there was no champion to compare with", floor))
    verdict = _against(new, champion, rules)
    return Verdict(verdict.state, (*verdict.reasons, floor), verdict.comparison)


def compare(first: Floats, second: Floats, matches: pd.DataFrame, seed: int) -> Comparison | None:
    """Compare two forecasts (n, 3) of `matches` (outcome, kickoff_at) where both exist; None if that is nowhere."""
    known = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    if not known.any():
        return None
    outcomes: Ints = matches["outcome"].to_numpy(dtype=np.int64)[known]
    losses = log_loss(first[known], outcomes), log_loss(second[known], outcomes)
    resamples = resample_matchdays(matches["kickoff_at"].dt.date.to_numpy()[known], seed)
    p_better = float((resamples.draws @ np.bincount(resamples.day, losses[0] - losses[1]) < 0).mean())
    return Comparison(int(known.sum()), paired_difference(*losses, resamples), p_better)


def walk_forward_of(run: Any, folder: Path) -> pd.DataFrame:
    """The predictions logged with a version's run, downloaded to `folder`."""
    return pd.read_parquet(stored_file(run, PREDICTIONS, folder))


def _floor(new: Contestant, rules: Rules) -> tuple[bool, str]:
    """Whether a version is as good as the pre-match market, or as base rates where there are hardly any prices."""
    held_out = new.predictions[new.predictions["season"].isin(gate_seasons(new.predictions))]
    own = probabilities_of(held_out, new.primary)
    found, reference = (
        compare(own, probabilities_of(held_out, MARKET_PREMATCH), held_out, rules.seed),
        "market",
    )
    if found is None or found.n_matches < min(FEWEST_MATCHES, len(held_out) / 2):
        found, reference = (
            compare(own, probabilities_of(held_out, BASE_RATES), held_out, rules.seed),
            "base rates",
        )
    if found is None:
        return False, f"{new.primary} forecast no held-out match"
    is_behind = found.difference.low > 0 and found.difference.difference > LARGEST_DEFICIT
    return not is_behind, f"{found} against {reference} on {found.n_matches:,} matches"


def _against(new: Contestant, champion: Contestant, rules: Rules) -> Verdict:
    """Compare with the champion on the seasons of the gate, each forecast by models fitted before the season."""
    seasons = gate_seasons(new.predictions)
    renamed = dict(zip(probability_columns(champion.primary), probability_columns("champion"), strict=True))
    common = new.predictions[new.predictions["season"].isin(seasons)].merge(
        champion.predictions[["match_id", *renamed]].rename(columns=renamed), on="match_id"
    )
    mine, others = probabilities_of(common, new.primary), probabilities_of(common, "champion")
    is_stale = new.trained_until - champion.trained_until > rules.patience
    aged = f"the champion's data end {(new.trained_until - champion.trained_until).days} days earlier"
    found = compare(mine, others, common, rules.seed)
    if found is None:
        told = "the champion has forecast no match of the last season"
        if is_stale:
            return Verdict("promoted", (told, aged))
        return Verdict("challenger", (f"{told}; promote by hand if wanted",))
    told = f"{found} against the champion on {found.n_matches:,} held-out matches of {', '.join(seasons)}"
    if found.difference.difference > LARGEST_LOSS:
        return Verdict("challenger", (f"worse: {told}",), found)
    is_same_model = bool(np.nanmax(np.abs(mine - others)) < SAME_PROBABILITY)
    if new.recipe == champion.recipe or is_same_model:
        return Verdict("promoted", (f"the champion's recipe on newer data, not worse: {told}",), found)
    if found.n_matches >= FEWEST_MATCHES and found.p_better >= rules.confidence:
        return Verdict("promoted", (f"better with probability {found.p_better:.3f}: {told}",), found)
    if is_stale:
        return Verdict("promoted", (f"not worse: {told}", aged), found)
    return Verdict(
        "challenger",
        (f"another recipe, and better only with probability {found.p_better:.3f}: {told}",),
        found,
    )
