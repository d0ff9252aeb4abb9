"""What queries may bind: the instants of a scrape, and what settings and promises say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from touchline.monitoring.late import PREDICTED_BEFORE
from touchline.operations.names import PROMISED, STAGES

SLOW_AFTER: Final = timedelta(seconds=5)
# The step that makes each asset.
MAKERS: Final = {asset: step for _, assets in STAGES for asset, (_, step) in assets.items()}


@dataclass(frozen=True)
class Moment:
    """When a scrape is made, UTC: the present of the run clock, None while it is not known, and the wall clock's."""

    as_of: datetime | None
    wall: datetime


_VALUES: Final[Mapping[str, Callable[[Moment], Any]]] = {
    "as_of": lambda moment: moment.as_of,
    "wall": lambda moment: moment.wall,
    "predicted_before": lambda _: PREDICTED_BEFORE,
    "slow_after": lambda _: SLOW_AFTER,
    "assets": lambda _: list(MAKERS),
    "asset_steps": lambda _: list(MAKERS.values()),
    "asset_promises": lambda _: [PROMISED[asset] for asset in MAKERS],
}
NAMES: Final = tuple(_VALUES)


def bound(names: tuple[str, ...], moment: Moment) -> list[Any]:
    """The values of these parameters. Raises LookupError when the present is needed and not known."""
    values = [_VALUES[name](moment) for name in names]
    if None in values:
        raise LookupError(
            "the present of the run clock is not known: no run is recorded, and no clock answers"
        )
    return values
