"""The features of a match, by group: names as in features.match_features, each with its definition."""

from __future__ import annotations

SIDES = ("home", "away")

_SPEEDS = {
    "slow": "from goals and chances, slow", "medium": "from goals and chances", "fast": "from goals and chances, fast",
    "goals": "from goals", "chances": "from chances", "chances_fast": "from chances, fast",
}  # fmt: skip
_SIGNALS = {"mixed": "goals and chances", "goals": "goals", "chances": "chances"}
_RATINGS = {
    "elo": "Elo rating from goals",
    "elo_shots": "Elo rating from shots on target",
    "pi": "pi-rating from goals at the venue to be played at, in goals against the average team",
    "pi_shots": "pi-rating from shots on target at the venue to be played at, in goals against the average team",
} | {
    f"{kind}_{speed}": f"{kind} as a logarithm of goals, {text},"
    for speed, text in _SPEEDS.items() for kind in ("attack", "defence")
} | {
    f"level_{signal}": f"goals of an away side of the average team's matches, as a logarithm, from {text},"
    for signal, text in _SIGNALS.items()
} | {
    f"home_advantage_{signal}": f"home advantage in the matches of the team, as a logarithm of goals, from {text},"
    for signal, text in _SIGNALS.items()
} | {
    "n_rated": "matches by which the strength is known; fewer after an off-season,",
    "n_career": "matches in our records",
}  # fmt: skip

_MEANS = {
    "goals_for": "goals scored",
    "goals_against": "goals conceded",
    "shots_for": "shots",
    "shots_against": "shots of the opponents",
    "shots_on_target_for": "shots on target",
    "shots_on_target_against": "shots on target of the opponents",
    "points": "points (3, 1, 0)",
}
_HALF_LIVES = {"short": "half-life 3 matches", "long": "half-life 10 matches"}
_FORM = {
    "surprise": "goals and chances ahead of what strengths expected",
    "total_surprise": "goals and chances of both sides above what strengths expected",
    "goal_surprise": "goal difference ahead of what strengths expected",
    "goal_difference": "goal difference",
    "shots_on_target": "shots on target ahead of the opponent",
    "shots": "shots ahead of the opponent",
    "corners": "corners ahead of the opponent",
    "yellow_cards": "yellow cards",
    "red_cards": "red cards",
    "points": "points (3, 1, 0)",
}
_FORM_HERE = {
    "surprise_at_venue": "mean goals and chances ahead of expectation at this venue, half-life 15 matches,",
    "goal_surprise_at_venue": "mean goal difference ahead of expectation at this venue, half-life 15 matches,",
}
_CONTEXT = {
    "rest_days": "days since the last match before this one, played or announced, at most 30",
    "n_matches_14d": "matches in the 14 days before this one, played or announced",
    "n_played": "matches played in the season",
    "position": "position in the table before the match, 1 is the top",
    "points_per_match": "points per match in the season",
    "points_behind_top": "points behind the top of the table for each match left, at most 5",
    "points_above_drop": "points above the third from the bottom for each match left, from -5 to 5",
    "tier_change": "tier before the last break of more than 45 days less the tier of this match: 1 for the promoted, "
    "-1 for the relegated, until the next such break",
}
_MARKET_HISTORY = {
    "market_rating_slow": "rating from closing prices, slow, in log-odds",
    "market_rating_medium": "rating from closing prices, in log-odds",
    "market_rating_fast": "rating from closing prices, fast, in log-odds",
    "market_home_advantage": "home advantage in closing prices of the team's matches, in log-odds",
    "market_n_rated": "matches by which the market's rating is known",
    "market_error": "mean of how far closing prices were ahead of the rating from them, half-life 3 matches",
    "move_last": "mean move of the price towards the team until the close, in log-odds, half-life 1.5 matches",
    "move_short": "mean move of the price towards the team until the close, in log-odds, half-life 5 matches",
    "move_long": "mean move of the price towards the team until the close, in log-odds, half-life 20 matches",
    "move_career": "mean move of the price towards the team until the close, in log-odds, half-life 60 matches",
    "move_at_venue": "mean move of the price towards the team at this venue, in log-odds, half-life 8 matches",
    "draw_move_last": "mean move of the price towards the draw, in log-odds, half-life 1.5 matches",
    "draw_move_short": "mean move of the price towards the draw, in log-odds, half-life 5 matches",
    "draw_move_long": "mean move of the price towards the draw, in log-odds, half-life 20 matches",
    "market_surprise_goals_last": "goals ahead of what the market expected, half-life 1 match",
    "market_surprise_goals_short": "goals ahead of what the market expected, half-life 4 matches",
    "market_surprise_shots_last": "shots on target ahead of what the market expected, half-life 1 match",
    "market_surprise_shots_short": "shots on target ahead of what the market expected, half-life 4 matches",
}
_PRICES = {"price": "consensus", "pinnacle": "Pinnacle's", "b365": "Bet365's", "maximum": "highest"}
_OUTCOMES = {"home": "a home win", "draw": "a draw", "away": "an away win"}


def _of_sides(texts: dict[str, str]) -> dict[str, str]:
    return {f"{side}_{name}": f"{text} of the {side} side" for side in SIDES for name, text in texts.items()}


RATING_DEFINITIONS = _of_sides(_RATINGS)
FORM_DEFINITIONS = _of_sides(
    {f"{name}_5": f"mean {text}, over the last 5 matches at any venue," for name, text in _MEANS.items()}
    | {
        f"form_{name}_{speed}": f"mean {text}, {half_life}," for speed, half_life in _HALF_LIVES.items()
        for name, text in _FORM.items()
    }
    | _FORM_HERE
)  # fmt: skip
CONTEXT_DEFINITIONS = _of_sides({name: f"{text}," for name, text in _CONTEXT.items()}) | {
    "h2h_n_matches": "meetings of the two sides looked at, at most the last 6",
    "h2h_points_mean": "mean points of the home side in those meetings, at any venue",
    "h2h_goal_difference_mean": "mean goal difference of the home side in those meetings",
    "season_progress": "share of the matches of a season that the two sides have played, 0 to 1",
    "month": "month of the kick-off, 1 to 12",
    "weekday": "day of the week of the kick-off, 1 (Monday) to 7",
    "competition_tier": "level of the competition in its country, 1 is the highest",
    "competition_home_goals": "mean goals of home sides over the last 300 matches of the competition",
    "competition_away_goals": "mean goals of away sides over the last 300 matches of the competition",
}
PRICE_DEFINITIONS = {
    f"market_{kind}_{outcome}": f"{text} pre-match price of {event}"
    for kind, text in _PRICES.items()
    for outcome, event in _OUTCOMES.items()
} | {
    "market_price_over": "consensus pre-match price of more than 2.5 goals",
    "market_price_under": "consensus pre-match price of fewer than 2.5 goals",
    "market_handicap_line": "Asian handicap of the home side, in goals",
    "market_handicap_home": "consensus pre-match price of the home side with that handicap",
    "market_handicap_away": "consensus pre-match price of the away side with that handicap",
    "market_n_bookmakers": "bookmakers that quote the match result",
    "market_spread": "highest minus lowest implied probability of a home win over the bookmakers",
    "market_price_hours": "hours from the consensus price of the match result to the kick-off",
}
MARKET_HISTORY_DEFINITIONS = _of_sides({name: f"{text}," for name, text in _MARKET_HISTORY.items()})

GROUP_DEFINITIONS = {
    "match_rating": RATING_DEFINITIONS,
    "match_form": FORM_DEFINITIONS,
    "match_context": CONTEXT_DEFINITIONS,
    "match_market": PRICE_DEFINITIONS,
    "match_market_history": MARKET_HISTORY_DEFINITIONS,
}
AVAILABILITY = {
    "match_rating": "With the results of both sides' last matches, as a rule the morning after. Unknown before a "
    "side's first match in our records; without statistics, goals stand in for chances.",
    "match_form": "With the results and statistics of both sides' last matches, as a rule the morning after. Where a "
    "source gives no shots, means over the last five matches are unknown and the others stay as they were.",
    "match_context": "With the fixture and the results before it: the calendar and rest as soon as the fixture and "
    "those before it are listed, the table and meetings the morning after the last match.",
    "match_market": "With pre-match prices, from days before kick-off; the last observed count. Unknown where nobody "
    "quotes; closing prices of the match itself are never among them.",
    "match_market_history": "With the closing prices of both sides' earlier matches, as a rule the morning after the "
    "last. A team whose matches had no prices has first values here, and 0 under market_n_rated.",
}
RATING_FEATURES = tuple(RATING_DEFINITIONS)
FORM_FEATURES = tuple(FORM_DEFINITIONS)
CONTEXT_FEATURES = tuple(CONTEXT_DEFINITIONS)
MARKET_FEATURES = tuple(PRICE_DEFINITIONS)
MARKET_HISTORY_FEATURES = tuple(MARKET_HISTORY_DEFINITIONS)

GROUPS = {group: tuple(names) for group, names in GROUP_DEFINITIONS.items()}
FEATURES = tuple(name for names in GROUPS.values() for name in names)
