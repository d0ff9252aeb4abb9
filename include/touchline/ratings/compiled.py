"""The compiled ratings: one pass over results in order, each of which updates the states of both teams.

All compiled code is in this file, because a cached compilation is renewed only when its own file changes.
Fast-math is off, so the same results give the same bits, however they are split into batches.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Elo(NamedTuple):
    """See touchline.ratings.elo."""

    k0: float
    exponent: float
    home_advantage: float


class Pi(NamedTuple):
    """See touchline.ratings.pi."""

    rate: float
    carry: float


class Strength(NamedTuple):
    """See touchline.ratings.strength: one speed of attack and defence on one signal."""

    rate: float
    newcomer_rate: float


# Columns of a match; missing statistics and prices are NaN.
DAY, TIER, HOME_GOALS, AWAY_GOALS, HOME_ON_TARGET, AWAY_ON_TARGET, HOME_SHOTS, AWAY_SHOTS = range(8)
HOME_CORNERS, AWAY_CORNERS, HOME_YELLOW, AWAY_YELLOW, HOME_RED, AWAY_RED = range(8, 14)
PREMATCH_SUPREMACY, PREMATCH_DRAW, CLOSING_SUPREMACY, CLOSING_DRAW = range(14, 18)
N_MATCH_COLUMNS = 18

# Columns of a state.
SIGNALS = ("mixed", "goals", "chances")
SPEEDS = ("slow", "medium", "fast", "goals", "chances", "chances_fast")
FORM_STATISTICS = (
    "surprise", "total_surprise", "goal_surprise", "goal_difference", "shots_on_target", "shots", "corners",
    "yellow_cards", "red_cards", "points",
)  # fmt: skip
STATE_COLUMNS = (
    "elo", "elo_shots", "pi_home", "pi_away", "pi_home_shots", "pi_away_shots",
    *(f"{kind}_{speed}" for speed in SPEEDS for kind in ("attack", "defence")),
    *(f"{kind}_{signal}" for signal in SIGNALS for kind in ("level", "home_advantage")),
    "n_rated", "n_career", "last_day", "last_tier", "tier_before",
    *(f"form_{name}_{speed}" for speed in ("short", "long") for name in FORM_STATISTICS),
    "surprise_at_home", "surprise_at_away", "goal_surprise_at_home", "goal_surprise_at_away",
    "market_rating_slow", "market_rating_medium", "market_rating_fast",
    "market_home_advantage", "market_n_rated", "market_error",
    "move_last", "move_short", "move_long", "move_career", "move_at_home", "move_at_away",
    "draw_move_last", "draw_move_short", "draw_move_long",
    "market_surprise_goals_last", "market_surprise_goals_short",
    "market_surprise_shots_last", "market_surprise_shots_short",
)  # fmt: skip
N_STATE_COLUMNS, N_STRENGTHS, N_FORM = len(STATE_COLUMNS), len(SPEEDS), len(FORM_STATISTICS)
ELO, ELO_SHOTS, PI_HOME, PI_AWAY, PI_HOME_SHOTS, PI_AWAY_SHOTS = range(6)
N_RATED, N_CAREER, LAST_DAY, LAST_TIER, TIER_BEFORE = (
    STATE_COLUMNS.index(name) for name in ("n_rated", "n_career", "last_day", "last_tier", "tier_before")
)
MARKET_HOME, MARKET_N, MARKET_ERROR = (
    STATE_COLUMNS.index(f"market_{name}") for name in ("home_advantage", "n_rated", "error")
)
# The first columns of the groups that are addressed by offset.
STRENGTHS, LEVELS = STATE_COLUMNS.index("attack_slow"), STATE_COLUMNS.index("level_mixed")
FORM, VENUE = STATE_COLUMNS.index("form_surprise_short"), STATE_COLUMNS.index("surprise_at_home")
MARKET_RATING, MOVES = STATE_COLUMNS.index("market_rating_slow"), STATE_COLUMNS.index("move_last")
VENUE_MOVES, DRAW_MOVES = STATE_COLUMNS.index("move_at_home"), STATE_COLUMNS.index("draw_move_last")
SURPRISES = STATE_COLUMNS.index("market_surprise_goals_last")


def _step(half_life: float) -> float:
    """Share of a new value in an exponentially weighted mean; the half-life is in matches."""
    return float(1.0 - 0.5 ** (1.0 / half_life))


FORM_STEPS = (_step(3), _step(10))
VENUE_STEP = _step(15)
MOVE_STEPS = (_step(1.5), _step(5), _step(20), _step(60))
VENUE_MOVE_STEP = _step(8)
SURPRISE_STEPS = (_step(1), _step(4))
MARKET_ERROR_STEP = _step(3)

# The average worth of a shot on target and of one off it, in goals.
ON_TARGET_WORTH, OFF_TARGET_WORTH = 0.213, 0.054
# Share of the chances in the mixed signal; the rest are goals.
CHANCES_SHARE = 0.38
MOST_GOALS = 6.0
OFF_SEASON_DAYS = 45.0
# After an off-season, a team counts as known by at most this many matches, and moves this share of the way to its tier.
KNOWN_AFTER_OFF_SEASON = 22.0
OFF_SEASON_SHRINKAGE = 0.138
TIER_STEP = 0.216
LEVEL_RATE = 0.0175
HOME_ADVANTAGE_RATE = 0.003
FIRST_LEVEL, FIRST_HOME_ADVANTAGE = 0.1, 0.25

MARKET_RATES = (0.05, 0.12, 0.25)
MARKET_NEWCOMER_RATE = 0.3
MARKET_HOME_RATE = 0.05
FIRST_MARKET_HOME = 0.5
MARKET_KNOWN_AFTER_OFF_SEASON = 3.0
# In log-odds; a larger move between two readings is a typing error.
LARGEST_MOVE = 1.0
# Goals and shots on target by which the market expects the home side to be ahead, per unit of p_home - p_away.
GOALS_PER_EDGE, ON_TARGET_PER_EDGE = 2.2, 6.0
USUAL_RED_CARDS, USUAL_YELLOW_CARDS, USUAL_POINTS = 0.1, 1.8, 1.37


@njit(cache=True)
def elo_change(home: float, away: float, difference: float, elo: Elo) -> float:
    """Points the home side gains and the away side loses after a match.

    `difference` is home minus away, in goals or shots. The expected score counts a win 1 and a draw a half.
    """
    score = 1.0 if difference > 0 else 0.0 if difference < 0 else 0.5
    weight = elo.k0 * (1.0 + abs(difference)) ** elo.exponent
    expected = 1.0 / (1.0 + 10.0 ** ((away - home - elo.home_advantage) / 400.0))
    return float(weight * (score - expected))


@njit(cache=True)
def pi_step(home: float, away: float, goal_difference: float, pi: Pi) -> float:
    """How far the home side's rating at home rises, and the away side's rating away falls, after a match.

    `home` is the rating of the home side at home, `away` that of the away side away, `goal_difference` home minus
    away. Each side's rating for the other venue moves by `pi.carry` times as much.
    """
    expected = math.copysign(10.0 ** (abs(home) / 3.0) - 1.0, home) - math.copysign(
        10.0 ** (abs(away) / 3.0) - 1.0, away
    )
    error = goal_difference - expected
    return pi.rate * math.copysign(3.0 * math.log10(1.0 + abs(error)), error)


@njit(cache=True)
def _towards(mean: float, value: float, step: float) -> float:
    return mean + step * (value - mean)


@njit(cache=True)
def _begin(state: Floats, tier: float, day: float, elo_first: Floats, pi_step_down: Floats) -> None:
    """Set the state of a new team before its first match, in a competition of `tier`."""
    below = tier - 1.0
    state[:] = 0.0
    for place in range(2):
        state[ELO + place] = elo_first[0] - elo_first[1] * below
    for place in range(4):
        state[PI_HOME + place] = -pi_step_down[place // 2] * below
    for place in range(2 * N_STRENGTHS):
        state[STRENGTHS + place] = -TIER_STEP * below
    for place in range(3):
        state[LEVELS + 2 * place] = FIRST_LEVEL
        state[LEVELS + 2 * place + 1] = FIRST_HOME_ADVANTAGE
    state[LAST_DAY], state[LAST_TIER], state[TIER_BEFORE] = day, tier, tier
    for speed in range(2):
        state[FORM + speed * N_FORM + 7] = USUAL_YELLOW_CARDS
        state[FORM + speed * N_FORM + 8] = USUAL_RED_CARDS
        state[FORM + speed * N_FORM + 9] = USUAL_POINTS
    state[MARKET_HOME] = FIRST_MARKET_HOME


@njit(cache=True)
def _after_off_season(state: Floats, tier: float, day: float) -> None:
    """After an off-season, make the state less certain, shrink it towards the tier, and note the tier before."""
    if day - state[LAST_DAY] <= OFF_SEASON_DAYS:
        return
    state[N_RATED] = min(state[N_RATED], KNOWN_AFTER_OFF_SEASON)
    state[MARKET_N] = min(state[MARKET_N], MARKET_KNOWN_AFTER_OFF_SEASON)
    middle = -TIER_STEP * (tier - 1.0)
    for place in range(2 * N_STRENGTHS):
        state[STRENGTHS + place] += OFF_SEASON_SHRINKAGE * (middle - state[STRENGTHS + place])
    state[TIER_BEFORE] = state[LAST_TIER]


@njit(cache=True)
def _rate_strengths(home: Floats, away: Floats, signals: Floats, strengths: Floats, expected: Floats) -> None:
    """Update attack and defence at every speed; set `expected` to the mixed signal's expected goals at medium speed.

    `signals` (3, 2): mixed, goals, chances of home and away. `strengths` (N_STRENGTHS, 3): signal, rate and
    newcomer's rate of each.
    """
    for number in range(N_STRENGTHS):
        signal = int(strengths[number, 0])
        attack, defence = STRENGTHS + 2 * number, STRENGTHS + 2 * number + 1
        level, advantage = LEVELS + 2 * signal, LEVELS + 2 * signal + 1
        base = (home[level] + away[level]) / 2.0
        at_home = (home[advantage] + away[advantage]) / 2.0
        home_mean = math.exp(base + at_home + home[attack] - away[defence])
        away_mean = math.exp(base + away[attack] - home[defence])
        if number == 1:
            expected[0], expected[1] = home_mean, away_mean
        if math.isnan(signals[signal, 0]) or math.isnan(signals[signal, 1]):
            continue
        home_error = signals[signal, 0] - home_mean
        away_error = signals[signal, 1] - away_mean
        home_rate = strengths[number, 1] + strengths[number, 2] / (1.0 + home[N_RATED])
        away_rate = strengths[number, 1] + strengths[number, 2] / (1.0 + away[N_RATED])
        home[attack] += home_rate * home_error
        away[defence] -= away_rate * home_error
        away[attack] += away_rate * away_error
        home[defence] -= home_rate * away_error
        # Each signal has one speed that updates its level and home advantage.
        if number == 1 or number == 3 or number == 4:
            for side in (home, away):
                side[level] += LEVEL_RATE * (home_error + away_error)
                side[advantage] += HOME_ADVANTAGE_RATE * (home_error - away_error)


@njit(cache=True)
def _note_form(state: Floats, values: Floats) -> None:
    """Update form by the match's `values` (N_FORM,) for the team; NaN leaves a mean unchanged."""
    for speed in range(2):
        for number in range(N_FORM):
            if not math.isnan(values[number]):
                place = FORM + speed * N_FORM + number
                state[place] = _towards(state[place], values[number], FORM_STEPS[speed])


@njit(cache=True)
def _rate_market(home: Floats, away: Floats, match: Floats) -> None:
    """Update both teams by the prices: ratings from the last price, its movement, and the result against it."""
    before, last = match[PREMATCH_SUPREMACY], match[CLOSING_SUPREMACY]
    draw_before, last_draw = match[PREMATCH_DRAW], match[CLOSING_DRAW]
    move, draw_move = last - before, last_draw - draw_before
    if math.isnan(last):
        last, last_draw = before, draw_before
    if math.isnan(last):
        return
    if abs(move) < LARGEST_MOVE and abs(draw_move) < LARGEST_MOVE:
        for number in range(4):
            home[MOVES + number] = _towards(home[MOVES + number], move, MOVE_STEPS[number])
            away[MOVES + number] = _towards(away[MOVES + number], -move, MOVE_STEPS[number])
        home[VENUE_MOVES] = _towards(home[VENUE_MOVES], move, VENUE_MOVE_STEP)
        away[VENUE_MOVES + 1] = _towards(away[VENUE_MOVES + 1], -move, VENUE_MOVE_STEP)
        for number in range(3):
            for side in (home, away):
                side[DRAW_MOVES + number] = _towards(side[DRAW_MOVES + number], draw_move, MOVE_STEPS[number])
    at_home = (home[MARKET_HOME] + away[MARKET_HOME]) / 2.0
    for number in range(3):
        place = MARKET_RATING + number
        error = last - (at_home + home[place] - away[place])
        home[place] += (MARKET_RATES[number] + MARKET_NEWCOMER_RATE / (1.0 + home[MARKET_N])) * error
        away[place] -= (MARKET_RATES[number] + MARKET_NEWCOMER_RATE / (1.0 + away[MARKET_N])) * error
        if number == 1:
            home[MARKET_ERROR] = _towards(home[MARKET_ERROR], error, MARKET_ERROR_STEP)
            away[MARKET_ERROR] = _towards(away[MARKET_ERROR], -error, MARKET_ERROR_STEP)
            for side in (home, away):
                side[MARKET_HOME] += MARKET_HOME_RATE * error
    home[MARKET_N] += 1.0
    away[MARKET_N] += 1.0
    win, draw, loss = math.exp(last / 2.0), math.exp(last_draw), math.exp(-last / 2.0)
    edge = (win - loss) / (win + draw + loss)
    goals = match[HOME_GOALS] - match[AWAY_GOALS] - GOALS_PER_EDGE * edge
    shots = match[HOME_ON_TARGET] - match[AWAY_ON_TARGET] - ON_TARGET_PER_EDGE * edge
    for number in range(2):
        for place, value in ((SURPRISES + number, goals), (SURPRISES + 2 + number, shots)):
            if not math.isnan(value):
                home[place] = _towards(home[place], value, SURPRISE_STEPS[number])
                away[place] = _towards(away[place], -value, SURPRISE_STEPS[number])


@njit(cache=True)
def rate_matches(
    matches: Floats, home_teams: NDArray[np.int64], away_teams: NDArray[np.int64], states: Floats, after: Floats,
    elos: tuple[Elo, Elo], pis: tuple[Pi, Pi], strengths: Floats, elo_first: Floats, pi_step_down: Floats,
    goals_per_shot: float,
) -> None:  # fmt: skip
    """Rate `matches` (n, N_MATCH_COLUMNS) in their order. A team is new if its state's first column is NaN.

    `states` (teams, N_STATE_COLUMNS) is updated in place. `after` (2n, N_STATE_COLUMNS) receives the states after
    each match: home side, away side, home side, ...
    """
    signals = np.empty((3, 2))
    expected = np.empty(2)
    values = np.empty(N_FORM)
    for row in range(len(matches)):
        match = matches[row]
        home, away = states[home_teams[row]], states[away_teams[row]]
        for state in (home, away):
            if math.isnan(state[0]):
                _begin(state, match[TIER], match[DAY], elo_first, pi_step_down)
            _after_off_season(state, match[TIER], match[DAY])
        goals = match[HOME_GOALS] - match[AWAY_GOALS]
        on_target = match[HOME_ON_TARGET] - match[AWAY_ON_TARGET]
        points = elo_change(home[ELO], away[ELO], goals, elos[0])
        home[ELO] += points
        away[ELO] -= points
        for number in range(2):
            margin = goals if number == 0 else on_target * goals_per_shot
            if math.isnan(margin):
                continue
            at_home, elsewhere = PI_HOME + 2 * number, PI_AWAY + 2 * number
            step = pi_step(home[at_home], away[elsewhere], margin, pis[number])
            home[at_home] += step
            home[elsewhere] += step * pis[number].carry
            away[at_home] -= step * pis[number].carry
            away[elsewhere] -= step
        if not math.isnan(on_target):
            points = elo_change(home[ELO_SHOTS], away[ELO_SHOTS], on_target, elos[1])
            home[ELO_SHOTS] += points
            away[ELO_SHOTS] -= points
        for side in range(2):
            scored, hit = match[HOME_GOALS + side], match[HOME_ON_TARGET + side]
            chances = ON_TARGET_WORTH * hit + OFF_TARGET_WORTH * (match[HOME_SHOTS + side] - hit)
            signals[1, side] = min(scored, MOST_GOALS)
            signals[2, side] = min(scored if math.isnan(chances) else chances, MOST_GOALS)
            signals[0, side] = (1.0 - CHANCES_SHARE) * signals[1, side] + CHANCES_SHARE * signals[2, side]
        _rate_strengths(home, away, signals, strengths, expected)
        surprise = signals[0, 0] - signals[0, 1] - (expected[0] - expected[1])
        goal_surprise = goals - (expected[0] - expected[1])
        for side, state in enumerate((home, away)):
            sign = 1.0 if side == 0 else -1.0
            values[0] = sign * surprise
            values[1] = signals[0, 0] + signals[0, 1] - (expected[0] + expected[1])
            values[2] = sign * goal_surprise
            values[3] = sign * goals
            values[4] = sign * on_target
            values[5] = sign * (match[HOME_SHOTS] - match[AWAY_SHOTS])
            values[6] = sign * (match[HOME_CORNERS] - match[AWAY_CORNERS])
            values[7] = match[HOME_YELLOW + side]
            values[8] = match[HOME_RED + side]
            values[9] = 3.0 if sign * goals > 0 else 1.0 if goals == 0 else 0.0
            _note_form(state, values)
            place = VENUE + side
            state[place] = _towards(state[place], sign * surprise, VENUE_STEP)
            state[place + 2] = _towards(state[place + 2], sign * goal_surprise, VENUE_STEP)
            state[N_RATED] += 1.0
            state[N_CAREER] += 1.0
            state[LAST_DAY], state[LAST_TIER] = match[DAY], match[TIER]
        _rate_market(home, away, match)
        after[2 * row] = home
        after[2 * row + 1] = away
