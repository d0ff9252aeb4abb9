"""All real seasons as a training frame, and forecasts of them held against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.comparison import SEED
from benchmarks.real_seasons import archive, unpacked
from touchline.forecasting.backtest import BacktestRequest, StepProgress, backtest_settings, played_matches
from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import Difference, log_loss, paired_difference, resample_matchdays
from touchline.forecasting.specs import MARKET_CLOSING, MARKET_PREMATCH
from touchline.settings import Settings

FIRST, LAST = date(2019, 8, 1), date(2023, 6, 30)


@dataclass(frozen=True)
class Played:
    """Matches with outcomes, in the rows of a frame of `walk_forward`; `said` (n, 3) by name, NaN rows where silent."""

    frame: pd.DataFrame
    said: dict[str, Floats]

    @property
    def outcomes(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """(n,)."""
        return self.frame["outcome"].to_numpy(dtype=np.int64)

    def covered(self) -> Played:
        """The matches that every forecast covers."""
        return self.where(np.all([np.isfinite(p).all(axis=1) for p in self.said.values()], axis=0))

    def where(self, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Played:
        """Some of the matches."""
        return Played(self.frame[chosen], {name: p[chosen] for name, p in self.said.items()})

    def difference(self, first: str, second: str, loss: Callable[..., Floats] = log_loss) -> Difference:
        """Mean loss of the first less the second, with its 95 % interval of a bootstrap over matchdays."""
        resamples = resample_matchdays(self.frame["kickoff_at"].dt.date.to_numpy(), SEED)
        return paired_difference(
            loss(self.said[first], self.outcomes), loss(self.said[second], self.outcomes), resamples
        )

    def mean(self, name: str, loss: Callable[..., Floats] = log_loss) -> float:
        """Mean loss."""
        return float(loss(self.said[name], self.outcomes).mean())

    def gap_closed(self, name: str = "with_odds") -> tuple[float, float, float]:
        """Share of the log-loss gap from pre-match to closing price that a forecast closes, with a 95 % interval."""
        resamples = resample_matchdays(self.frame["kickoff_at"].dt.date.to_numpy(), SEED)
        before, ours, close = (
            np.bincount(resamples.day, log_loss(self.said[each], self.outcomes))
            for each in (MARKET_PREMATCH, name, MARKET_CLOSING)
        )
        shares = (resamples.draws @ (before - ours)) / (resamples.draws @ (before - close))
        low, high = np.quantile(shares, [0.025, 0.975])
        return float((before - ours).sum() / (before - close).sum()), float(low), float(high)


def missing(*others: Path) -> Path | None:
    """The first of the season files and `others` that is not there; None when all are."""
    return next((path for path in (archive(), *others) if not path.exists()), None)


def seasons_played(matches: pd.DataFrame) -> list[str]:
    """Seasons with matches since `FIRST`, in order."""
    return sorted(matches.loc[matches["kickoff_at"].dt.date >= FIRST, "season"].unique())


def played_seasons(
    first: date = FIRST, last: date = LAST, on_progress: StepProgress = lambda step, done, total: None
) -> pd.DataFrame:
    """The training frame of what was played until `last`: season files collected, built and rated as in production."""
    request = BacktestRequest((), first, last)
    with unpacked() as folder:
        return played_matches(backtest_settings(Settings(source=str(folder)), request), request, on_progress)
