"""The features of a match, by group. Names and meaning are those of features.match_features."""

from __future__ import annotations

SIDES = ("home", "away")
STATISTICS = (
    "goals_for", "goals_against", "shots_for", "shots_against", "shots_on_target_for",
    "shots_on_target_against", "points",
)  # fmt: skip
SPANS = (5, 10, 20)

RATING_FEATURES = tuple(f"{side}_{name}" for side in SIDES for name in ("elo", "elo_shots", "pi", "pi_shots"))
FORM_FEATURES = tuple(
    [f"{side}_{name}_{span}" for side in SIDES for span in SPANS for name in STATISTICS]
    + [f"{side}_venue_{name}_10" for side in SIDES for name in ("goals_for", "goals_against", "points")]
)
CONTEXT_FEATURES = tuple(
    [
        f"{side}_{name}"
        for side in SIDES
        for name in ("rest_days", "n_matches_14d", "n_played", "position", "points_per_match")
    ]
    + ["h2h_n_matches", "h2h_points_mean", "h2h_goal_difference_mean", "season_progress", "month"]
)
MARKET_FEATURES = tuple(
    f"market_{name}"
    for name in (
        "price_home", "price_draw", "price_away", "price_over", "price_under", "handicap_line", "handicap_home",
        "handicap_away", "n_bookmakers", "spread",
    )
)  # fmt: skip

GROUPS = {
    "match_rating": RATING_FEATURES,
    "match_form": FORM_FEATURES,
    "match_context": CONTEXT_FEATURES,
    "match_market": MARKET_FEATURES,
}
FEATURES = tuple(name for names in GROUPS.values() for name in names)
