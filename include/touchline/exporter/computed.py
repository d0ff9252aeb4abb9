"""What SQL alone cannot give: each function gives rows as a query does, from SQL files and the judgement of the rest.

A row has every column of the query's metrics, None where it has no series of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import httpx
import numpy as np

from touchline.exporter.parameters import Moment, bound
from touchline.forecasting.metrics import OUTCOMES, calibration_slope, log_loss, rps
from touchline.monitoring.late import LEEWAY, PREDICTED_BEFORE
from touchline.monitoring.shortfalls import EVIDENCE, KINDS, MISSING, horizon_end, judge
from touchline.serving.checks import Service, registry_address
from touchline.settings import Settings

Row = Mapping[str, Any]
# Reads the rows of a file of SQL, given its parameters.
Read = Callable[..., Awaitable[Sequence[Row]]]

WINDOWS: Final = {"28d": timedelta(days=28), "365d": timedelta(days=365)}


class Computed:
    """The functions, for these settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry = Service("registry", self._ask_registry)
        self._http = httpx.AsyncClient()

    async def due(self, read: Read, moment: Moment) -> list[Row]:
        """A row per competition with fixtures ahead: those that should have been predicted by now, and are not."""
        (as_of,) = bound(("as_of",), moment)
        missing = await read("monitoring/sql/late", as_of, as_of + PREDICTED_BEFORE + LEEWAY)
        n_due = Counter({row["competition"]: 0 for row in await read("exporter/sql/ahead", as_of)})
        n_due.update(row["competition"] for row in missing)
        return [{"competition": competition, "n_due": n} for competition, n in n_due.most_common()]

    async def shortfalls(self, read: Read, moment: Moment) -> list[Row]:
        """A row per reason for a missing prediction, per kind of shortfall, and one for all holds."""
        (as_of,) = bound(("as_of",), moment)
        evidence = await read(EVIDENCE, as_of)
        missing = await read(MISSING, as_of, horizon_end(evidence, as_of, self._settings.horizon_days))
        kinds = Counter(each.kind for each in judge(evidence, missing, as_of))
        none = dict.fromkeys(("reason", "n_fixtures", "kind", "n_shortfalls", "n_held"))
        return [
            {**none, "n_held": kinds["held"]},
            *({**none, "kind": kind, "n_shortfalls": kinds[kind]} for kind in KINDS),
            *({**none, "reason": row["reason"], "n_fixtures": row["n"]} for row in missing),
        ]

    async def skill(self, read: Read, moment: Moment) -> list[Row]:
        """A row per window: how the champion's last words on the matches that kicked off in it have scored."""
        (as_of,) = bound(("as_of",), moment)
        settled = await read("exporter/sql/settled", as_of, as_of - max(WINDOWS.values()))
        return [
            {"window": name, **self._skill([row for row in settled if row["kickoff_at"] > as_of - window])}
            for name, window in WINDOWS.items()
        ]

    async def mlflow(self, _: Read, __: Moment) -> list[Row]:
        """One row: whether MLflow answers, and how soon. One that does not is left alone for a while."""
        answer = await self._registry.look()
        seconds = None if answer.latency_ms is None or not answer.is_ok else answer.latency_ms / 1000
        return [{"is_up": answer.is_ok, "response_seconds": seconds}]

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    def _skill(self, settled: Sequence[Row]) -> dict[str, float | None]:
        p, closing = _columns(settled, "p"), _columns(settled, "p_closing")
        outcomes = np.array([OUTCOMES.index(row["outcome"]) for row in settled], dtype=np.int64)
        is_right, has_closing = p.argmax(axis=1) == outcomes, np.isfinite(closing).all(axis=1)
        is_picked = p.max(axis=1) >= self._settings.confident.pick
        behind = log_loss(p[has_closing], outcomes[has_closing]) - log_loss(
            closing[has_closing], outcomes[has_closing]
        )
        line_values = np.array([value for row in settled if (value := row["closing_line_value"]) is not None])
        return {
            "n_matches": len(settled),
            "log_loss": _mean(log_loss(p, outcomes)),
            "rps": _mean(rps(p, outcomes)),
            "accuracy": _mean(is_right),
            "calibration_slope": _known(calibration_slope(p, outcomes)) if settled else None,
            "n_with_closing": len(behind),
            "log_loss_behind_closing": _mean(behind),
            "n_picks": int(is_picked.sum()),
            "picks_accuracy": _mean(is_right[is_picked]),
            "n_closing_line": len(line_values),
            "closing_line_value": _mean(line_values),
        }

    async def _ask_registry(self) -> None:
        (await self._http.get(f"{registry_address(self._settings)}/health")).raise_for_status()


def _columns(settled: Sequence[Row], prefix: str) -> np.ndarray:
    values = [[row[f"{prefix}_{name}"] for name in OUTCOMES] for row in settled]
    return np.array(values, dtype=np.float64).reshape(-1, 3)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
