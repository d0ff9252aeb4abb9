"""Elo ratings of football teams, from goals and from shots on target.

Source: Hvattum & Arntzen (2010), "Using ELO ratings for match result prediction in association football",
International Journal of Forecasting 26(3): the expected score, and the goal-based variant ELOg, in which the update
weight grows with the goal difference, k = k0 (1 + |difference|)^lambda. The home advantage in rating points is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from touchline.ratings import compiled


@dataclass(frozen=True, slots=True)
class EloParameters:
    """How ratings move, and where they begin.

    `home_advantage` and `tier_step` are in rating points.
    """

    k0: float = 9.0
    exponent: float = 0.7
    home_advantage: float = 65.0
    first_tier: float = 1500.0
    tier_step: float = 110.0

    @property
    def compiled(self) -> compiled.Elo:
        """The parameters as the compiled update reads them."""
        return compiled.Elo(self.k0, self.exponent, self.home_advantage)


GOALS = EloParameters()
# Margins in shots on target are wider than in goals, so each shot counts for less.
SHOTS = EloParameters(k0=6.0, exponent=0.55)
