"""Attack and defence of teams, updated match by match: a dynamic form of the model of Dixon & Coles.

The goals expected of the home side are exp(level + home advantage + its attack - the other's defence), those of the
away side exp(level + its attack - the other's defence); Dixon & Coles (1997), "Modelling association football scores
and inefficiencies in the football betting market", Applied Statistics 46(2), eq. 2, with the logarithms as ratings.
Dixon & Coles weight past matches by age. Here, each match instead moves the ratings along the gradient of its Poisson
likelihood, by a step whose size is the rate. The step is larger while a team is little known, like a Kalman gain.

Level and home advantage are learned in the same way and stored with the teams; those of a match are the means of its
two sides'. So each competition has its own values without knowledge of other matches, and both can change, as they did
before empty stands in 2020/21.

There are three signals: goals; chances, which are shots counted as the goals they are worth on average; and a mix of
both. Where a source gives no shots, goals stand in for chances. Rates, shares and steps were chosen on matches up to
2018/19.
"""

from __future__ import annotations

import numpy as np

from touchline.ratings.compiled import (
    FIRST_HOME_ADVANTAGE,
    FIRST_LEVEL,
    SIGNALS,
    SPEEDS,
    TIER_STEP,
    Floats,
    Strength,
)

# In the order of the columns of a state. Form measures surprise against the second.
STRENGTHS = {
    "slow": ("mixed", Strength(0.009, 0.031)),
    "medium": ("mixed", Strength(0.021, 0.031)),
    "fast": ("mixed", Strength(0.045, 0.031)),
    "goals": ("goals", Strength(0.015, 0.028)),
    "chances": ("chances", Strength(0.026, 0.038)),
    "chances_fast": ("chances", Strength(0.065, 0.038)),
}


def as_array() -> Floats:
    """Signal, rate and newcomers' rate of each speed (n, 3), as the compiled update reads them."""
    rows = [(SIGNALS.index(signal), *strength) for signal, strength in STRENGTHS.values()]
    assert tuple(STRENGTHS) == SPEEDS, "the compiled update is laid out for these"
    return np.array(rows, dtype=np.float64)


def newcomer(column: str, tier: Floats) -> Floats:
    """A new team's value of the state column `column` in competitions of `tier` (n,)."""
    if column.startswith("level"):
        return np.full_like(tier, FIRST_LEVEL)
    if column.startswith("home_advantage"):
        return np.full_like(tier, FIRST_HOME_ADVANTAGE)
    return -TIER_STEP * (tier - 1.0)
