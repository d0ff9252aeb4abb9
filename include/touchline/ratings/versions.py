"""Results from core.result_version with the prices known at the time, as numbers for the engine."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl

from touchline.database.engine import Connection
from touchline.overround import log_odds
from touchline.ratings.compiled import Floats
from touchline.ratings.engine import NUMBERS, Result, day_of
from touchline.ratings.history import Version

MICROSECONDS = "(extract(epoch from {0}) * 1000000)::bigint as {0}"
_STATISTICS = [name for name in NUMBERS if not name.endswith(("supremacy", "draw"))]
_PRICES = ("price_home", "price_draw", "price_away")
_PINNACLE = ("pinnacle_home", "pinnacle_draw", "pinnacle_away")
_TIMES = ("kickoff_at", "valid_from", "valid_to")

VERSIONS = f"""
copy (
    select result.match_id, {MICROSECONDS.format("kickoff_at")}, home_team_id, away_team_id, {", ".join(_STATISTICS)},
        (extract(epoch from result.valid_from) * 1000000)::bigint as valid_from, {MICROSECONDS.format("valid_to")},
        {", ".join(f"prematch.{name} as prematch_{name}" for name in _PRICES)},
        {", ".join(f"closing.{name} as closing_{name}" for name in (*_PRICES, *_PINNACLE))}
    from core.result_version as result
    left join core.result_price as prematch
        on result.match_id = prematch.match_id and result.valid_from = prematch.valid_from
        and prematch.stage = 'prematch'
    left join core.result_price as closing
        on result.match_id = closing.match_id and result.valid_from = closing.valid_from and closing.stage = 'closing'
    where result.stage = 'league' and ({{condition}})
) to stdout (format csv, header)
"""  # noqa: S608


@dataclass(frozen=True)
class Versions:
    """One row per version, by kick-off and match: `frame` has ids, times (microseconds since 1970) and NUMBERS."""

    frame: pl.DataFrame

    def versions(self, start: int = 0) -> list[Version]:
        """The versions from row `start` on, one by one."""
        rows = self.frame[start:]
        columns = {
            name: rows[name].to_list() for name in (*Result._fields, "match_id", "valid_from", "valid_to")
        }
        keys = zip(columns["kickoff_at"], columns["match_id"], strict=True)
        results = map(Result, *(columns[name] for name in Result._fields))
        return list(map(Version, keys, results, columns["valid_from"], columns["valid_to"]))

    def matches(self, stop: int) -> Floats:
        """The first `stop` rows as the engine reads them (stop, N_MATCH_COLUMNS)."""
        days = [day_of(moment) for moment in self.frame["kickoff_at"][:stop].to_list()]
        numbers = (
            self.frame[:stop].select(pl.col(NUMBERS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
        )
        return np.ascontiguousarray(np.column_stack([days, numbers]), dtype=np.float64)


def read_versions(connection: Connection, condition: str, parameters: dict[str, Any]) -> Versions:
    """The versions in core.result_version, of leagues, that meet a condition.

    Nothing is learned from play-offs: history has none, a final may be on neutral ground, and a tie between divisions
    has no tier.
    """
    lines = BytesIO()
    with (
        connection.cursor() as cursor,
        cursor.copy(VERSIONS.format(condition=condition), parameters) as copy,
    ):
        for block in copy:
            lines.write(block)
    prices = [f"prematch_{name}" for name in _PRICES] + [f"closing_{name}" for name in (*_PRICES, *_PINNACLE)]
    frame = (
        pl.read_csv(lines.getvalue(), infer_schema=False)
        .with_columns(pl.col(*_TIMES, *_STATISTICS).cast(pl.Int64), pl.col(prices).cast(pl.Float64))
        .sort("kickoff_at", "match_id")
    )
    coordinates = {"prematch": _coordinates(frame, "prematch", _PRICES)}
    consensus, pinnacle = (_coordinates(frame, "closing", names) for names in (_PRICES, _PINNACLE))
    coordinates["closing"] = np.where(np.isnan(pinnacle), consensus, pinnacle)
    return Versions(
        frame.drop(prices).with_columns(
            pl.Series(f"{stage}_{name}", both[:, place], nan_to_null=True)
            for stage, both in coordinates.items()
            for place, name in enumerate(("supremacy", "draw"))
        )
    )


def _coordinates(frame: pl.DataFrame, stage: str, names: tuple[str, ...]) -> Floats:
    prices = frame.select(pl.col([f"{stage}_{name}" for name in names]).fill_null(float("nan")))
    return log_odds(prices.to_numpy())
