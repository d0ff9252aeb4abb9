"""The champion's settled predictions as arrays, used by three of the four drift detectors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.database.engine import Connection, rows
from touchline.database.queries import query
from touchline.forecasting.logistic import Floats, Ints
from touchline.forecasting.metrics import OUTCOMES

Days = NDArray[np.datetime64]


@dataclass(frozen=True)
class Settled:
    """n matches in the order of their kick-offs.

    `kickoff_on` (n,) UTC days, `predicted_at` (n,) UTC; `probabilities` and `closing` (n, 3) of home, draw, away,
    the latter NaN without closing prices; `outcomes` (n,) 0 home, 1 draw, 2 away.
    """

    kickoff_on: Days
    predicted_at: NDArray[np.datetime64]
    probabilities: Floats
    closing: Floats
    outcomes: Ints

    def __len__(self) -> int:
        return len(self.outcomes)

    def where(self, chosen: NDArray[np.bool_]) -> Settled:
        """The matches for which `chosen` (n,) is True."""
        return Settled(
            self.kickoff_on[chosen], self.predicted_at[chosen], self.probabilities[chosen],
            self.closing[chosen], self.outcomes[chosen],
        )  # fmt: skip

    def predicted_since(self, moment: datetime | None) -> Settled:
        """The matches whose prediction was made at `moment` (UTC) or later; all of them for None."""
        return self if moment is None else self.where(self.predicted_at >= instant(moment))


def settled_predictions(
    connection: Connection, model_name: str, as_of: datetime, kickoff_after: datetime
) -> Settled:
    """The champion's last predictions of matches that kicked off after `kickoff_after` and are settled at `as_of`."""
    found = rows(
        connection,
        query("monitoring/sql/settled"),
        {"model_name": model_name, "as_of": as_of, "kickoff_after": kickoff_after},
    )
    return Settled(
        kickoff_on=np.array([row["kickoff_on"] for row in found], dtype="datetime64[D]"),
        predicted_at=np.array([instant(row["predicted_at"]) for row in found], dtype="datetime64[us]"),
        probabilities=_columns(found, "p"),
        closing=_columns(found, "p_closing"),
        outcomes=np.array([OUTCOMES.index(row["outcome"]) for row in found], dtype=np.int64),
    )


def instant(moment: datetime) -> np.datetime64:
    """An aware datetime as numpy.datetime64, in UTC."""
    return np.datetime64(int(moment.timestamp() * 1_000_000), "us")


def _columns(found: list[dict[str, Any]], prefix: str) -> Floats:
    values = [[row[f"{prefix}_{name}"] for name in OUTCOMES] for row in found]
    return np.array(values, dtype=np.float64).reshape(-1, 3)
