"""What a quality report rests on: settled predictions, measurements of drift, champions, as of an instant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from psycopg import RawCursor
from psycopg.rows import dict_row

from touchline.database.engine import Connection, connect
from touchline.database.queries import query
from touchline.forecasting.logistic import Floats, Ints
from touchline.forecasting.metrics import OUTCOMES, Resamples, log_loss, resample_matchdays, rps
from touchline.forecasting.report.frame import matchdays
from touchline.forecasting.report.intervals import Estimate, mean_where
from touchline.forecasting.specs import MARKET, MARKET_CLOSING, MARKET_PREMATCH
from touchline.forecasting.walk_forward import probabilities_of
from touchline.registry.models import TrainedVersion
from touchline.settings import Settings

CHAMPION: Final = "champion"
# What the champion is held against: names of columns of probabilities, and in words.
REFERENCES: Final = {MARKET_CLOSING: "closing market", MARKET_PREMATCH: "pre-match market"}
SCORES: Final = ("log_loss", "rps", "is_correct")
# Alarms that are older are history.
ALARMS_SHOWN: Final = timedelta(days=365)
RECENT_DAYS: Final = 28
N_MISSES: Final = 10

Row = Mapping[str, Any]
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Figure:
    """A mean over n matches; its interval is unknown where all are of one day."""

    n: int
    mean: Estimate
    has_interval: bool


@dataclass(frozen=True)
class Evidence:
    """Everything of a report, as known at `as_of` (UTC).

    `settled` has a row for each settled prediction of a champion (sql/settled.sql), and `outcome` as 0 home, 1 draw,
    2 away. `measured` are measurements of drift, the oldest first; `reigns` those of champions, the latest first.
    """

    as_of: datetime
    seed: int
    settled: pd.DataFrame
    measured: Sequence[Row]
    reigns: Sequence[Row]
    trained: Collection[TrainedVersion]

    @property
    def outcomes(self) -> Ints:
        """(n,): 0 home, 1 draw, 2 away."""
        return self.settled["outcome"].to_numpy(dtype=np.int64)

    @property
    def everything(self) -> Mask:
        """(n,): every settled prediction."""
        return np.ones(len(self.settled), dtype=np.bool_)

    def since(self, days: int) -> Mask:
        """(n,): matches that kicked off in the last days before `as_of`."""
        return np.asarray(self.settled["kickoff_at"] > self.as_of - timedelta(days=days), dtype=np.bool_)

    def probabilities(self, name: str) -> Floats:
        """(n, 3) of the champion or of a market, NaN where there is none."""
        return probabilities_of(self.settled, name)

    @cached_property
    def scores(self) -> Mapping[str, Mapping[str, Floats]]:
        """By forecast and score (n,). The champion's, and the closing market's log loss, are those of the ledger."""
        scores: dict[str, Mapping[str, Floats]] = {
            CHAMPION: {name: self.settled[name].to_numpy(dtype=np.float64) for name in SCORES}
        }
        for reference in REFERENCES:
            p = self.probabilities(reference)
            unknown = np.isnan(p).any(axis=1)
            hit = (np.nan_to_num(p).argmax(axis=1) == self.outcomes).astype(np.float64)
            found = log_loss(p, self.outcomes), rps(p, self.outcomes), hit
            scores[reference] = {
                name: np.where(unknown, np.nan, each) for name, each in zip(SCORES, found, strict=True)
            }
        closing = self.settled["closing_log_loss"].to_numpy(dtype=np.float64)
        return scores | {MARKET_CLOSING: {**scores[MARKET_CLOSING], "log_loss": closing}}

    def behind(self, reference: str, score: str = "log_loss") -> Floats:
        """(n,): the champion's score less that of a market on the same match, NaN without a price."""
        return self.scores[CHAMPION][score] - self.scores[reference][score]

    def mean(self, values: Floats, where: Mask) -> Figure | None:
        """The mean of values (n,) that are known, with a 95 % interval from whole matchdays; None without any."""
        known = where & np.isfinite(values)
        if not known.any():
            return None
        found = mean_where(np.nan_to_num(values), known, self._resamples)
        return Figure(int(known.sum()), found, len(set(self._resamples.day[known])) > 1)

    def worst(self, days: int) -> pd.DataFrame:
        """The matches of the last days on which the champion lost most against the market, with what it lost.

        The closing market counts, or the pre-match market where there is no closing price.
        """
        lost = np.where(
            np.isfinite(self.behind(MARKET_CLOSING)),
            self.behind(MARKET_CLOSING),
            self.behind(MARKET_PREMATCH),
        )
        found = self.settled.assign(lost=lost)[self.since(days)].dropna(subset="lost")
        return found.sort_values(["lost", "prediction_id"], ascending=[False, True]).head(N_MISSES)

    @cached_property
    def _resamples(self) -> Resamples:
        return resample_matchdays(matchdays(self.settled), self.seed)


def read_evidence(settings: Settings, as_of: datetime, trained: Collection[TrainedVersion]) -> Evidence:
    """Read it all as of `as_of`, from the tables that the board reads."""
    with connect(settings, "model") as connection:
        settled = pd.DataFrame(_rows(connection, "model_reports/sql/settled", as_of, MARKET))
        measured = _rows(connection, "model_reports/sql/drift", as_of, as_of - ALARMS_SHOWN)
        reigns = _rows(connection, "serving/sql/champions", as_of)
    if len(settled):
        settled["outcome"] = settled["outcome"].map(OUTCOMES.index)
    known = [each for each in trained if each.as_of <= as_of]
    return Evidence(as_of, settings.random_seed, settled, measured, reigns, known)


def seen_by(settings: Settings, prediction_ids: Sequence[str]) -> Mapping[str, Mapping[str, float | None]]:
    """The features that predictions were made from, by prediction."""
    with connect(settings, "model") as connection:
        found = _rows(connection, "model_reports/sql/features", list(prediction_ids))
    return {row["prediction_id"]: row["features"] for row in found}


def _rows(connection: Connection, name: str, *parameters: Any) -> list[dict[str, Any]]:
    with RawCursor(connection, row_factory=dict_row) as cursor:
        return cursor.execute(query(name), parameters).fetchall()
