"""Pi-ratings: expected goal difference against the average team, at home and away.

Source: Constantinou & Fenton (2013), "Determining the level of ability of football teams by dynamic ratings based
on the relative discrepancies in scores between adversaries", Journal of Quantitative Analysis in Sports 9(1):
the expected goal difference 10^(|R|/3) - 1 with the sign of R, the error e of home minus away, its diminished weight
3 log10(1 + |e|), and the learning rates lambda (venue played at) and gamma (carried over to the other venue).
"""

from __future__ import annotations

from dataclasses import dataclass

from touchline.ratings import compiled


@dataclass(frozen=True, slots=True)
class PiParameters:
    """Learning rates `rate` (lambda) and `carry` (gamma), and how many goals lower a new team starts per tier."""

    rate: float = 0.05
    carry: float = 0.70
    tier_step: float = 0.35

    @property
    def compiled(self) -> compiled.Pi:
        """The parameters as the compiled update reads them."""
        return compiled.Pi(self.rate, self.carry)


GOALS = PiParameters()
SHOTS = PiParameters(rate=0.06)
# Over the seasons that have both, a shot on target is worth about 0.3 goals. This puts shots on the scale of goals.
GOALS_PER_SHOT_ON_TARGET = 0.3
