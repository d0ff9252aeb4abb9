"""Settling: each prediction is scored once the result is known.

A corrected result makes a new revision, and so does a closing price that comes, goes or is corrected after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from touchline.clock import RunClock
from touchline.database.engine import connect, rows, scalar
from touchline.database.queries import query
from touchline.forecasting import metrics
from touchline.ledger.built import require_built
from touchline.ledger.digests import publish_digest
from touchline.overround import remove_overround
from touchline.settings import Settings

INSERT = """
insert into ledger.prediction_outcome (prediction_id, revision, home_goals, away_goals, outcome, rps, log_loss,
    brier, is_correct, p_closing_home, p_closing_draw, p_closing_away, closing_line_value, settled_at, run_id)
values (%(prediction_id)s, %(revision)s, %(home_goals)s, %(away_goals)s, %(outcome)s, %(rps)s, %(log_loss)s,
    %(brier)s, %(is_correct)s, %(p_closing_home)s, %(p_closing_draw)s, %(p_closing_away)s,
    %(closing_line_value)s, %(settled_at)s, %(run_id)s)
"""

STILL_OPEN = """
select count(*) from ledger.prediction
where not exists (
    select from ledger.prediction_outcome as outcome where outcome.prediction_id = prediction.prediction_id
)
"""


@dataclass(frozen=True)
class SettleReport:
    """What was settled: `n_corrected` after a corrected result, `n_closing` for another closing price alone.

    `rps` and `log_loss` are means over the champion's `n_champion` predictions among them.
    """

    as_of: str
    n_settled: int
    n_corrected: int
    n_still_open: int
    n_champion: int
    rps: float | None
    log_loss: float | None
    n_closing: int = 0

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        late = f", {self.n_closing} with another closing price" if self.n_closing else ""
        text = (
            f"Settled {self.n_settled} predictions as of {self.as_of} ({self.n_corrected} of them corrected{late}); "
            f"{self.n_still_open} wait for their result."
        )
        if self.rps is None:
            return text
        return (
            f"{text} The champion's {self.n_champion}: mean RPS {self.rps:.4f}, log loss {self.log_loss:.4f}."
        )


def settle_predictions(settings: Settings, clock: RunClock, run_id: str) -> SettleReport:
    """Score every prediction with a result known at `clock.as_of` that is unsettled, or has another closing price.

    Closing line value is ln(closing / pre-match probability) of the forecast's most probable outcome, market
    consensus with the overround removed: positive when the market moved towards the forecast. None without
    both prices. The same call twice writes nothing the second time. Raises WarehouseNotBuilt.
    """
    with connect(settings, "model") as connection:
        require_built(connection, "core.match_result", "core.match_odds")
        # Two processes settling at once would find the same predictions open.
        connection.execute("select ledger.take_turn()")
        found = rows(connection, query("ledger/sql/unsettled"), {"as_of": clock.as_of})
        scored = list(zip(found, _score(found) if found else [], strict=True))
        scored = [
            (row, outcome)
            for row, outcome in scored
            if row["is_other_result"] or _has_other_closing(row, outcome)
        ]
        with connection.cursor() as cursor:
            cursor.executemany(
                INSERT, [{**outcome, "settled_at": clock.as_of, "run_id": run_id} for _, outcome in scored]
            )
        n_waiting = scalar(connection, STILL_OPEN)
    publish_digest(settings)
    champion = [outcome for row, outcome in scored if row["role"] == "champion"]
    return SettleReport(
        as_of=clock.as_of.isoformat(),
        n_settled=len(scored),
        n_corrected=sum(row["revision"] > 1 and row["is_other_result"] for row, _ in scored),
        n_closing=sum(not row["is_other_result"] for row, _ in scored),
        n_still_open=n_waiting,
        n_champion=len(champion),
        rps=float(np.mean([row["rps"] for row in champion])) if champion else None,
        log_loss=float(np.mean([row["log_loss"] for row in champion])) if champion else None,
    )


def _has_other_closing(row: dict[str, Any], outcome: dict[str, Any]) -> bool:
    """Whether the closing probabilities are not those it was last settled with; None is no price, or none of use."""
    pairs = [(row[f"last_{name}"], outcome[f"p_closing_{name}"]) for name in metrics.OUTCOMES]
    return any((a is None) != (b is None) or (a is not None and abs(a - b) > 1e-9) for a, b in pairs)


def _score(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    probabilities = _columns(found, "p")
    happened = np.array([metrics.OUTCOMES.index(row["outcome"]) for row in found], dtype=np.int64)
    closing = remove_overround(_columns(found, "closing"))
    early = remove_overround(_columns(found, "early"))
    favourite = probabilities.argmax(axis=1)
    at = np.arange(len(found))
    moved = np.log(closing[at, favourite] / early[at, favourite])
    scores = {
        "rps": metrics.rps(probabilities, happened),
        "log_loss": metrics.log_loss(probabilities, happened),
        "brier": metrics.brier(probabilities, happened),
    }
    return [
        {
            **{
                name: row[name]
                for name in ("prediction_id", "revision", "home_goals", "away_goals", "outcome")
            },
            **{name: float(values[index]) for name, values in scores.items()},
            "is_correct": bool(favourite[index] == happened[index]),
            **{
                f"p_closing_{name}": _known(closing[index, place])
                for place, name in enumerate(metrics.OUTCOMES)
            },
            "closing_line_value": _known(moved[index]),
        }
        for index, row in enumerate(found)
    ]


def _columns(found: Sequence[dict[str, Any]], prefix: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(
        [[row[f"{prefix}_{name}"] for name in metrics.OUTCOMES] for row in found], dtype=np.float64
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
