"""The catalogue of features: one entry describes a feature, or a family of features, completely.

The catalogue is the source for the columns of features.match_features (`python -m touchline.features.columns`), the
Feast views, the page of features, drift and lineage. The values come from
dbt_project/models/features/match_features.sql, which computes them, or copies the column named by `taken_from`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SIDES = ("home", "away")


@dataclass(frozen=True)
class Feature:
    """A column of features.match_features, double precision, null while unknown.

    `is_seasonal`: it follows the calendar, so drift does not compare it with the year's average. `taken_from` names
    the column in match_features.sql that is the feature. `rests_on` tells lineage what Python computes a rating from,
    which dbt cannot see: statistics of core.result_version, or prices; if empty, tier, goals and shots.
    """

    name: str
    group: str
    text: str
    unit: str
    is_seasonal: bool = False
    taken_from: str = ""
    rests_on: tuple[str, ...] = ()


AVAILABILITY = {
    "match_rating": "Available with the results of both sides' last matches, usually the morning after. Unknown before "
    "a side's first match in our records. Without statistics, goals stand in for chances.",
    "match_form": "Available with the results and statistics of both sides' last matches, usually the morning after. "
    "Where a source gives no shots, means over the last five matches are unknown and the others do not change.",
    "match_context": "Calendar and rest are available as soon as the fixture and those before it are listed; the "
    "season so far is available the morning after the last match.",
    "match_market": "Available with pre-match prices, days before kick-off; the last observed prices count. Unknown "
    "where no bookmaker quotes. Closing prices of the match itself are never used.",
    "match_market_history": "Available with the closing prices of both sides' earlier matches, usually the morning "
    "after the last. A team whose matches had no prices has initial values, and 0 in market_n_rated.",
}

_SPEEDS = {
    "slow": "from goals and chances, slow", "medium": "from goals and chances", "fast": "from goals and chances, fast",
    "goals": "from goals", "chances": "from chances", "chances_fast": "from chances, fast",
}  # fmt: skip
_SIGNALS = {"mixed": "goals and chances", "goals": "goals", "chances": "chances"}
_HALF_LIVES = {"short": "half-life 3 matches", "long": "half-life 10 matches"}
_SELECTIONS = {"home": "a home win", "draw": "a draw", "away": "an away win"}


def _every_feature() -> Iterator[Feature]:
    """All features in the order in which models see them: by group, and in each group the home side first."""
    for side in SIDES:
        yield from _rating(side)
    for side in SIDES:
        yield from _form(side)
    for side in SIDES:
        yield from _context(side)
    yield from _of_match()
    yield from _prices()
    for side in SIDES:
        yield from _market_history(side)


def _rating(side: str) -> Iterator[Feature]:
    def rated(unit: str, texts: Mapping[str, str], column: str = "{name}") -> Iterator[Feature]:
        return _of_side(side, "match_rating", unit, texts, f"rating.{column}")

    yield from rated(
        "Elo points", {"elo": "Elo rating from goals", "elo_shots": "Elo rating from shots on target"}
    )
    pi = "pi-rating from {} at the venue to be played at, in goals against the average team"
    yield from rated("goals", {"pi": pi.format("goals")}, f"pi_{side}")
    yield from rated("goals", {"pi_shots": pi.format("shots on target")}, f"pi_{side}_shots")
    yield from rated("log goals", {
        f"{kind}_{speed}": f"{kind} as a logarithm of goals, {text},"
        for speed, text in _SPEEDS.items() for kind in ("attack", "defence")
    })  # fmt: skip
    yield from rated("log goals", {
        f"level_{signal}": f"goals of an away side of the average team's matches, as a logarithm, from {text},"
        for signal, text in _SIGNALS.items()
    })  # fmt: skip
    yield from rated("log goals", {
        f"home_advantage_{signal}": f"home advantage in the matches of the team, as a logarithm of goals, from {text},"
        for signal, text in _SIGNALS.items()
    })  # fmt: skip
    yield from rated("matches", {
        "n_rated": "matches by which the strength is known; fewer after an off-season,",
        "n_career": "matches in our records",
    })  # fmt: skip


def _form(side: str) -> Iterator[Feature]:
    for name, text, unit in (
        ("goals_for", "goals scored", "goals"),
        ("goals_against", "goals conceded", "goals"),
        ("shots_for", "shots", "shots"),
        ("shots_against", "shots of the opponents", "shots"),
        ("shots_on_target_for", "shots on target", "shots"),
        ("shots_on_target_against", "shots on target of the opponents", "shots"),
        ("points", "points (3, 1, 0)", "points"),
    ):
        five = {f"{name}_5": f"mean {text}, over the last 5 matches at any venue,"}
        yield from _of_side(side, "match_form", unit, five, "form.{name}")
    for speed, half_life in _HALF_LIVES.items():
        for name, text, unit, rests_on in (
            ("surprise", "goals and chances ahead of what strengths expected", "goals", ()),
            ("total_surprise", "goals and chances of both sides above what strengths expected", "goals", ()),
            ("goal_surprise", "goal difference ahead of what strengths expected", "goals", ()),
            ("goal_difference", "goal difference", "goals", ()),
            ("shots_on_target", "shots on target ahead of the opponent", "shots", ()),
            ("shots", "shots ahead of the opponent", "shots", ()),
            ("corners", "corners ahead of the opponent", "corners", ("corners",)),
            ("yellow_cards", "yellow cards", "cards", ("yellow_cards",)),
            ("red_cards", "red cards", "cards", ("red_cards",)),
            ("points", "points (3, 1, 0)", "points", ()),
        ):
            mean = {f"form_{name}_{speed}": f"mean {text}, {half_life},"}
            yield from _of_side(side, "match_form", unit, mean, "rating.{name}", rests_on)
    at_venue = {
        "surprise_at_venue": "mean goals and chances ahead of expectation at this venue, half-life 15 matches,",
        "goal_surprise_at_venue": "mean goal difference ahead of expectation at this venue, half-life 15 matches,",
    }
    yield from _of_side(side, "match_form", "goals", at_venue, "rating.{name}")


def _context(side: str) -> Iterator[Feature]:
    for name, text, unit in (
        ("rest_days", "days since the last match before this one, played or announced, at most 30", "days"),
        ("n_matches_14d", "matches in the 14 days before this one, played or announced", "matches"),
        ("n_played", "matches played in the season", "matches"),
        ("tier_change", "tier before the last break of more than 45 days less the tier of this match: 1 for the "
         "promoted, -1 for the relegated, until the next such break", "tiers"),
    ):  # fmt: skip
        yield from _of_side(side, "match_context", unit, {name: f"{text},"}, is_seasonal=True)


def _of_match() -> Iterator[Feature]:
    for name, text, unit, taken_from in (
        ("season_progress", "share of the matches of a season that the two sides have played, 0 to 1", "share", ""),
        ("competition_tier", "level of the competition in its country, 1 is the highest", "tier", ""),
        ("competition_home_goals", "mean goals of home sides over the last 300 matches of the competition", "goals",
         "around.goals_for_300"),
        ("competition_away_goals", "mean goals of away sides over the last 300 matches of the competition", "goals",
         "around.goals_against_300"),
    ):  # fmt: skip
        yield Feature(name, "match_context", text, unit, is_seasonal=True, taken_from=taken_from)


def _prices() -> Iterator[Feature]:
    for kind, text in (
        ("price", "consensus"), ("pinnacle", "Pinnacle's"), ("b365", "Bet365's"), ("maximum", "highest"),
    ):  # fmt: skip
        for selection, event in _SELECTIONS.items():
            name, definition = f"{kind}_{selection}", f"{text} pre-match price of {event}"
            yield Feature(
                f"market_{name}", "match_market", definition, "decimal price", taken_from=f"market.{name}"
            )
    for name, text, unit in (
        ("price_over", "consensus pre-match price of more than 2.5 goals", "decimal price"),
        ("price_under", "consensus pre-match price of fewer than 2.5 goals", "decimal price"),
        ("handicap_line", "Asian handicap of the home side, in goals", "goals"),
        ("handicap_home", "consensus pre-match price of the home side with that handicap", "decimal price"),
        ("handicap_away", "consensus pre-match price of the away side with that handicap", "decimal price"),
        ("n_bookmakers", "bookmakers that quote the match result", "bookmakers"),
        (
            "spread",
            "highest minus lowest implied probability of a home win over the bookmakers",
            "probability",
        ),
    ):
        yield Feature(f"market_{name}", "match_market", text, unit, taken_from=f"market.{name}")
    # The age of a price depends on the schedule of the matches and of our collections.
    hours = "hours from the consensus price of the match result to the kick-off"
    yield Feature("market_price_hours", "match_market", hours, "hours", is_seasonal=True)


def _market_history(side: str) -> Iterator[Feature]:
    moves = "mean move of the price towards"
    for unit, texts, rests_on in (
        ("log-odds", {
            "market_rating_slow": "rating from closing prices, slow, in log-odds",
            "market_rating_medium": "rating from closing prices, in log-odds",
            "market_rating_fast": "rating from closing prices, fast, in log-odds",
            "market_home_advantage": "home advantage in closing prices of the team's matches, in log-odds",
        }, ("prices",)),
        ("matches", {"market_n_rated": "matches by which the market's rating is known"}, ("prices",)),
        ("log-odds", {
            "market_error":
                "mean of how far closing prices were ahead of the rating from them, half-life 3 matches",
            "move_last": f"{moves} the team until the close, in log-odds, half-life 1.5 matches",
            "move_short": f"{moves} the team until the close, in log-odds, half-life 5 matches",
            "move_long": f"{moves} the team until the close, in log-odds, half-life 20 matches",
            "move_career": f"{moves} the team until the close, in log-odds, half-life 60 matches",
            "move_at_venue": f"{moves} the team at this venue, in log-odds, half-life 8 matches",
            "draw_move_last": f"{moves} the draw, in log-odds, half-life 1.5 matches",
            "draw_move_short": f"{moves} the draw, in log-odds, half-life 5 matches",
            "draw_move_long": f"{moves} the draw, in log-odds, half-life 20 matches",
        }, ("prices",)),
        ("goals", {
            "market_surprise_goals_last": "goals ahead of what the market expected, half-life 1 match",
            "market_surprise_goals_short": "goals ahead of what the market expected, half-life 4 matches",
        }, ("goals", "prices")),
        ("shots", {
            "market_surprise_shots_last": "shots on target ahead of what the market expected, half-life 1 match",
            "market_surprise_shots_short": "shots on target ahead of what the market expected, half-life 4 matches",
        }, ("shots_on_target", "prices")),
    ):  # fmt: skip
        named = {name: f"{text}," for name, text in texts.items()}
        yield from _of_side(side, "match_market_history", unit, named, "rating.{name}", rests_on)


def _of_side(
    side: str,
    group: str,
    unit: str,
    texts: Mapping[str, str],
    column: str = "",
    rests_on: tuple[str, ...] = (),
    *,
    is_seasonal: bool = False,
) -> Iterator[Feature]:
    """Features of one side, by their names without the side. In `column`, at_venue becomes at_home or at_away."""
    for name, text in texts.items():
        state = name.replace("at_venue", f"at_{side}")
        taken_from = f"{side}_{column.format(name=state)}" if column else ""
        yield Feature(
            f"{side}_{name}", group, f"{text} of the {side} side", unit, is_seasonal, taken_from, rests_on
        )


CATALOGUE = tuple(_every_feature())
FEATURES = tuple(feature.name for feature in CATALOGUE)
GROUPS = {
    group: tuple(feature.name for feature in CATALOGUE if feature.group == group) for group in AVAILABILITY
}
RATING_FEATURES, FORM_FEATURES, CONTEXT_FEATURES, MARKET_FEATURES, MARKET_HISTORY_FEATURES = GROUPS.values()
SEASONAL = frozenset(feature.name for feature in CATALOGUE if feature.is_seasonal)
