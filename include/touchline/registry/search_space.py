"""The parameters that tuning may change, by dotted name, each with its range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from touchline.forecasting.specs import ForecasterParameters
from touchline.registry.parameters import flat, with_values

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included; `log` where ratios matter; whole numbers where the parameter is one."""

    low: float
    high: float
    log: bool = False


# Few dimensions, because a search of some dozen trials can cover ten, but not twenty-five. Parameters are left out
# that hardly change the log loss or overlap with another (leaves and smallest leaf, rounds and learning rate).
SEARCH_SPACE: Final[Mapping[str, Range]] = {
    "no_odds.trees.rounds": Range(40, 300, log=True),
    "no_odds.trees.leaves": Range(3, 12),
    "no_odds.ridge": Range(50, 5000, log=True),
    "no_odds.line_half_life": Range(3, 20, log=True),
    "with_odds.movement.ridge": Range(50, 5000, log=True),
    "with_odds.movement.half_life": Range(1.5, 12, log=True),
    "with_odds.movement.share": Range(0.8, 1.5),
    "with_odds.residual.trees.rounds": Range(30, 200, log=True),
    "with_odds.residual.trees.ridge": Range(20, 500, log=True),
    "with_odds.residual.share": Range(0.2, 1.0),
}


def searched_values(parameters: ForecasterParameters) -> dict[str, float]:
    """The values of `parameters` that tuning may change."""
    return {name: value for name, value in flat(parameters).items() if name in SEARCH_SPACE}


def suggest(trial: BaseTrial, base: ForecasterParameters) -> ForecasterParameters:
    """`base` with every parameter of `SEARCH_SPACE` as an Optuna trial wants it."""
    wanted: dict[str, float] = {}
    for name, value in searched_values(base).items():
        among = SEARCH_SPACE[name]
        if isinstance(value, int):
            wanted[name] = trial.suggest_int(name, int(among.low), int(among.high), log=among.log)
        else:
            wanted[name] = trial.suggest_float(name, among.low, among.high, log=among.log)
    return with_values(base, wanted)
