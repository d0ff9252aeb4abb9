"""The features of a match, by group: names as in features.match_features, each with its definition."""

from __future__ import annotations

SIDES = ("home", "away")
SPANS = (5, 10, 20)

_RATINGS = {
    "elo": "Elo rating from goals",
    "elo_shots": "Elo rating from shots on target",
    "pi": "pi-rating from goals at the venue to be played at, in goals against the average team",
    "pi_shots": "pi-rating from shots on target at the venue to be played at, in goals against the average team",
}
_STATISTICS = {
    "goals_for": "goals scored",
    "goals_against": "goals conceded",
    "shots_for": "shots",
    "shots_against": "shots of the opponents",
    "shots_on_target_for": "shots on target",
    "shots_on_target_against": "shots on target of the opponents",
    "points": "points (3, 1, 0)",
}
_CONTEXT = {
    "rest_days": "days since the last match, at most 30",
    "n_matches_14d": "matches in the 14 days before",
    "n_played": "matches played in the season",
    "position": "position in the table before the match, 1 is the top",
    "points_per_match": "points per match in the season",
}

RATING_DEFINITIONS = {
    f"{side}_{name}": f"{text} of the {side} side" for side in SIDES for name, text in _RATINGS.items()
}
FORM_DEFINITIONS = {
    f"{side}_{name}_{span}": f"mean {text} of the {side} side over its last {span} matches at any venue"
    for side in SIDES
    for span in SPANS
    for name, text in _STATISTICS.items()
} | {
    f"{side}_venue_{name}_10": f"mean {_STATISTICS[name]} of the {side} side over its last 10 {side} matches"
    for side in SIDES
    for name in ("goals_for", "goals_against", "points")
}
CONTEXT_DEFINITIONS = {
    f"{side}_{name}": f"{text}, of the {side} side" for side in SIDES for name, text in _CONTEXT.items()
} | {
    "h2h_n_matches": "meetings of the two sides looked at, at most the last 6",
    "h2h_points_mean": "mean points of the home side in those meetings, at any venue",
    "h2h_goal_difference_mean": "mean goal difference of the home side in those meetings",
    "season_progress": "share of the matches of a season that the two sides have played, 0 to 1",
    "month": "month of the kick-off, 1 to 12",
}
MARKET_DEFINITIONS = {
    "market_price_home": "consensus pre-match price of a home win",
    "market_price_draw": "consensus pre-match price of a draw",
    "market_price_away": "consensus pre-match price of an away win",
    "market_price_over": "consensus pre-match price of more than 2.5 goals",
    "market_price_under": "consensus pre-match price of fewer than 2.5 goals",
    "market_handicap_line": "Asian handicap of the home side, in goals",
    "market_handicap_home": "consensus pre-match price of the home side with that handicap",
    "market_handicap_away": "consensus pre-match price of the away side with that handicap",
    "market_n_bookmakers": "bookmakers that quote the match result",
    "market_spread": "highest minus lowest implied probability of a home win over the bookmakers",
}

GROUP_DEFINITIONS = {
    "match_rating": RATING_DEFINITIONS,
    "match_form": FORM_DEFINITIONS,
    "match_context": CONTEXT_DEFINITIONS,
    "match_market": MARKET_DEFINITIONS,
}
RATING_FEATURES = tuple(RATING_DEFINITIONS)
FORM_FEATURES = tuple(FORM_DEFINITIONS)
CONTEXT_FEATURES = tuple(CONTEXT_DEFINITIONS)
MARKET_FEATURES = tuple(MARKET_DEFINITIONS)

GROUPS = {group: tuple(names) for group, names in GROUP_DEFINITIONS.items()}
FEATURES = tuple(name for names in GROUPS.values() for name in names)
