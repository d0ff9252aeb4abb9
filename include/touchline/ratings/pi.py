"""Pi-ratings: expected goal difference against the average team, at home and away.

Source: Constantinou & Fenton (2013), "Determining the level of ability of football teams by dynamic ratings based
on the relative discrepancies in scores between adversaries", Journal of Quantitative Analysis in Sports 9(1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BASE = 10.0
SPREAD = 3.0


@dataclass(frozen=True)
class PiParameters:
    """Learning rates: `rate` (lambda) for the venue played at, `carry` (gamma) for the other one."""

    rate: float = 0.05
    carry: float = 0.70
    tier_step: float = 0.35

    def initial(self, tier: int) -> float:
        """Rating of a team seen for the first time in a competition of `tier` (1 is the highest), in goals."""
        return -self.tier_step * (tier - 1)


GOALS = PiParameters()
SHOTS = PiParameters(rate=0.06)
# Over the seasons that have both, a shot on target is worth about 0.3 goals: puts shots on the scale of goals.
GOALS_PER_SHOT_ON_TARGET = 0.3


def expected_goal_difference(rating: float) -> float:
    """Goal difference expected against the average team (eq. 2): sign(R) (10^(|R|/3) - 1)."""
    return math.copysign(BASE ** (abs(rating) / SPREAD) - 1.0, rating)


def weighted_error(error: float) -> float:
    """Diminishing weight of an error in goals (eq. 5): 3 log10(1 + e), with the sign of the error."""
    return math.copysign(SPREAD * math.log10(1.0 + abs(error)), error)


def update(
    home: tuple[float, float], away: tuple[float, float], goal_difference: float, parameters: PiParameters
) -> tuple[tuple[float, float], tuple[float, float]]:
    """New (home rating, away rating) of the home side and of the away side (eq. 3, 4, 6 and 7)."""
    expected = expected_goal_difference(home[0]) - expected_goal_difference(away[1])
    step = weighted_error(goal_difference - expected) * parameters.rate
    return (
        (home[0] + step, home[1] + step * parameters.carry),
        (away[0] - step * parameters.carry, away[1] - step),
    )
