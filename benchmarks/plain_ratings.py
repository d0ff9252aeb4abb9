"""The ratings engine's formulas written plainly, one dictionary a team: what the compiled engine has to agree with.

The engine is measured against this, and a test compares the two on generated seasons. Rates and first values are the
engine's own; formulas, half-lives and the order of things are written again here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import copysign, exp, log10

from touchline.ratings import compiled, elo, pi
from touchline.ratings.compiled import FORM_STATISTICS, SIGNALS, STATE_COLUMNS
from touchline.ratings.engine import Result, day_of
from touchline.ratings.strength import STRENGTHS

Plain = dict[str, float]
# The speed that moves level and home advantage of its signal.
LEVELS_MOVED_BY = {"medium": "mixed", "goals": "goals", "chances": "chances"}
FORM_HALF_LIVES = {"short": 3, "long": 10}
MOVE_HALF_LIVES = {"last": 1.5, "short": 5, "long": 20, "career": 60}
SURPRISE_HALF_LIVES = {"last": 1, "short": 4}
VENUES = (("home", "at_home"), ("away", "at_away"))


def rate_plainly(results: Iterable[Result]) -> Iterator[tuple[Plain, Plain]]:
    """The states of home and away side after each match, by `STATE_COLUMNS`; they move on with the next one."""
    states: dict[str, Plain] = {}
    for match in results:
        day = day_of(match.kickoff_at)
        for team in (match.home_team_id, match.away_team_id):
            state = states.setdefault(team, _first(match.tier, day))
            if day - state["last_day"] > 45:
                _rest(state, match.tier)
        home, away = states[match.home_team_id], states[match.away_team_id]
        _rate_elo_and_pi(home, away, match)
        _rate_strengths_and_form(home, away, match)
        _rate_market(home, away, match)
        for state in (home, away):
            state["n_rated"] += 1
            state["n_career"] += 1
            state["last_day"], state["last_tier"] = day, match.tier
        yield home, away


def _first(tier: int, day: float) -> Plain:
    below = tier - 1
    state = dict.fromkeys(STATE_COLUMNS, 0.0)
    for kind, parameters in (("", pi.GOALS), ("_shots", pi.SHOTS)):
        state[f"elo{kind}"] = elo.GOALS.first_tier - elo.GOALS.tier_step * below
        state[f"pi_home{kind}"] = state[f"pi_away{kind}"] = -parameters.tier_step * below
    for speed in STRENGTHS:
        state[f"attack_{speed}"] = state[f"defence_{speed}"] = -compiled.TIER_STEP * below
    for signal in SIGNALS:
        state[f"level_{signal}"], state[f"home_advantage_{signal}"] = 0.1, 0.25
    for speed in FORM_HALF_LIVES:
        usual = {"yellow_cards": 1.8, "red_cards": 0.1, "points": 1.37}
        state |= {f"form_{name}_{speed}": value for name, value in usual.items()}
    return state | {"market_home_advantage": 0.5, "last_day": day, "last_tier": tier, "tier_before": tier}


def _rest(state: Plain, tier: int) -> None:
    """An off-season: less is known, and strengths go a part of the way to the middle of the tier."""
    state["n_rated"] = min(state["n_rated"], compiled.KNOWN_AFTER_OFF_SEASON)
    state["market_n_rated"] = min(state["market_n_rated"], compiled.MARKET_KNOWN_AFTER_OFF_SEASON)
    for speed in STRENGTHS:
        for name in (f"attack_{speed}", f"defence_{speed}"):
            middle = -compiled.TIER_STEP * (tier - 1)
            state[name] += compiled.OFF_SEASON_SHRINKAGE * (middle - state[name])
    state["tier_before"] = state["last_tier"]


def _rate_elo_and_pi(home: Plain, away: Plain, match: Result) -> None:
    goals = match.home_goals - match.away_goals
    shots = _ahead(match.home_shots_on_target, match.away_shots_on_target)
    for kind, margin, e, p in (("", goals, elo.GOALS, pi.GOALS), ("_shots", shots, elo.SHOTS, pi.SHOTS)):
        if margin is None:
            continue
        # Hvattum & Arntzen (2010), ELOg.
        gap = home[f"elo{kind}"] + e.home_advantage - away[f"elo{kind}"]
        score = (margin > 0) + (margin == 0) / 2
        points = e.k0 * (1 + abs(margin)) ** e.exponent * (score - 1 / (1 + 10 ** (-gap / 400)))
        home[f"elo{kind}"] += points
        away[f"elo{kind}"] -= points
        # Constantinou & Fenton (2013).
        worth = pi.GOALS_PER_SHOT_ON_TARGET if kind else 1
        error = margin * worth - (_pi_goals(home[f"pi_home{kind}"]) - _pi_goals(away[f"pi_away{kind}"]))
        step = p.rate * copysign(3 * log10(1 + abs(error)), error)
        home[f"pi_home{kind}"] += step
        home[f"pi_away{kind}"] += p.carry * step
        away[f"pi_away{kind}"] -= step
        away[f"pi_home{kind}"] -= p.carry * step


def _pi_goals(rating: float) -> float:
    return copysign(10 ** (abs(rating) / 3) - 1, rating)


def _signals(match: Result) -> dict[str, tuple[float, float]]:
    """What the strengths learn from, of home and away."""
    goals = [float(min(match.home_goals, 6)), float(min(match.away_goals, 6))]
    chances = list(goals)
    shots = (
        (match.home_shots_on_target, match.home_shots),
        (match.away_shots_on_target, match.away_shots),
    )
    for side, (on_target, taken) in enumerate(shots):
        if on_target is not None and taken is not None:
            worth = compiled.ON_TARGET_WORTH * on_target + compiled.OFF_TARGET_WORTH * (taken - on_target)
            chances[side] = min(worth, 6.0)
    share = compiled.CHANCES_SHARE
    mixed = [(1 - share) * goal + share * chance for goal, chance in zip(goals, chances, strict=True)]
    return {"mixed": (mixed[0], mixed[1]), "goals": (goals[0], goals[1]), "chances": (chances[0], chances[1])}


def _expected(home: Plain, away: Plain, speed: str) -> tuple[float, float]:
    """Dixon & Coles (1997), eq. 2, with logarithms as strengths."""
    signal = STRENGTHS[speed][0]
    level = (home[f"level_{signal}"] + away[f"level_{signal}"]) / 2
    at_home = (home[f"home_advantage_{signal}"] + away[f"home_advantage_{signal}"]) / 2
    return (
        exp(level + at_home + home[f"attack_{speed}"] - away[f"defence_{speed}"]),
        exp(level + away[f"attack_{speed}"] - home[f"defence_{speed}"]),
    )


def _rate_strengths_and_form(home: Plain, away: Plain, match: Result) -> None:
    signals = _signals(match)
    by_form = _expected(home, away, "medium")
    for speed, (signal, strength) in STRENGTHS.items():
        scored, expected = signals[signal], _expected(home, away, speed)
        errors = (scored[0] - expected[0], scored[1] - expected[1])
        for state, mine, theirs in ((home, *errors), (away, *reversed(errors))):
            rate = strength.rate + strength.newcomer_rate / (1 + state["n_rated"])
            state[f"attack_{speed}"] += rate * mine
            state[f"defence_{speed}"] -= rate * theirs
            if speed in LEVELS_MOVED_BY:
                state[f"level_{signal}"] += compiled.LEVEL_RATE * sum(errors)
                state[f"home_advantage_{signal}"] += compiled.HOME_ADVANTAGE_RATE * (errors[0] - errors[1])
    _note_form(home, away, match, signals["mixed"], by_form)


def _note_form(
    home: Plain, away: Plain, match: Result, mixed: tuple[float, float], expected: tuple[float, float]
) -> None:
    goals = match.home_goals - match.away_goals
    gaps = {
        "surprise": mixed[0] - mixed[1] - (expected[0] - expected[1]),
        "goal_surprise": goals - (expected[0] - expected[1]),
        "goal_difference": goals,
        "shots_on_target": _ahead(match.home_shots_on_target, match.away_shots_on_target),
        "shots": _ahead(match.home_shots, match.away_shots),
        "corners": _ahead(match.home_corners, match.away_corners),
    }
    for state, (side, venue), sign in zip((home, away), VENUES, (1, -1), strict=True):
        said: dict[str, float | None] = {
            name: None if gap is None else sign * gap for name, gap in gaps.items()
        }
        said["total_surprise"] = sum(mixed) - sum(expected)
        said["yellow_cards"] = getattr(match, f"{side}_yellow_cards")
        said["red_cards"] = getattr(match, f"{side}_red_cards")
        said["points"] = 3 if sign * goals > 0 else 1 if goals == 0 else 0
        for name in FORM_STATISTICS:
            for speed, half_life in FORM_HALF_LIVES.items():
                _move(state, f"form_{name}_{speed}", said[name], half_life)
        for name in ("surprise", "goal_surprise"):
            _move(state, f"{name}_{venue}", said[name], 15)


def _rate_market(home: Plain, away: Plain, match: Result) -> None:
    move = _ahead(match.closing_supremacy, match.prematch_supremacy)
    draw_move = _ahead(match.closing_draw, match.prematch_draw)
    last, last_draw = match.closing_supremacy, match.closing_draw
    if last is None or last_draw is None:
        last, last_draw = match.prematch_supremacy, match.prematch_draw
    if last is None or last_draw is None:
        return
    if move is not None and draw_move is not None and abs(move) < 1 and abs(draw_move) < 1:
        for state, (_, venue), sign in zip((home, away), VENUES, (1, -1), strict=True):
            _move(state, f"move_{venue}", sign * move, 8)
            for speed, half_life in MOVE_HALF_LIVES.items():
                _move(state, f"move_{speed}", sign * move, half_life)
                if speed != "career":
                    _move(state, f"draw_move_{speed}", draw_move, half_life)
    _rate_prices(home, away, last)
    win, draw, loss = exp(last / 2), exp(last_draw), exp(-last / 2)
    edge = (win - loss) / (win + draw + loss)
    surprises = {"goals": match.home_goals - match.away_goals - compiled.GOALS_PER_EDGE * edge}
    shots = _ahead(match.home_shots_on_target, match.away_shots_on_target)
    if shots is not None:
        surprises["shots"] = shots - compiled.ON_TARGET_PER_EDGE * edge
    for name, surprise in surprises.items():
        for speed, half_life in SURPRISE_HALF_LIVES.items():
            _move(home, f"market_surprise_{name}_{speed}", surprise, half_life)
            _move(away, f"market_surprise_{name}_{speed}", -surprise, half_life)


def _rate_prices(home: Plain, away: Plain, last: float) -> None:
    """Ratings in log-odds: supremacy is the home side's less the away side's, and the home advantage."""
    at_home = (home["market_home_advantage"] + away["market_home_advantage"]) / 2
    errors = {}
    for speed, rate in zip(("slow", "medium", "fast"), compiled.MARKET_RATES, strict=True):
        name = f"market_rating_{speed}"
        errors[speed] = last - (at_home + home[name] - away[name])
        for state, sign in ((home, 1), (away, -1)):
            newcomer = compiled.MARKET_NEWCOMER_RATE / (1 + state["market_n_rated"])
            state[name] += sign * (rate + newcomer) * errors[speed]
    for state, sign in ((home, 1), (away, -1)):
        _move(state, "market_error", sign * errors["medium"], 3)
        state["market_home_advantage"] += compiled.MARKET_HOME_RATE * errors["medium"]
        state["market_n_rated"] += 1


def _move(state: Plain, name: str, value: float | None, half_life: float) -> None:
    """An exponentially weighted mean by matches; what is unknown leaves it as it is."""
    if value is not None:
        state[name] += (1 - 0.5 ** (1 / half_life)) * (value - state[name])


def _ahead(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second
