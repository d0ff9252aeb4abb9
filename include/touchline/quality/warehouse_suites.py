"""Expectations on core and features: what changed since the last pass, and each competition against its own history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from touchline.database.queries import query
from touchline.quality.suite import Suite, block, warn

# No bookmaker offers an overround below 1; the consensus does not include the market's best prices.
OVERROUND_BOUNDS = (0.97, 1.35)
ELO_BOUNDS = (400.0, 2800.0)
# The goals by which a team beats an average team.
PI_BOUNDS = (-10.0, 10.0)
REBUILD = (
    "find the facts of these matches in landing, correct their source or quarantine, then `touchline build`"
)
COMPARE = (
    "compare with the competition's own pages; a change of the source shows in `touchline rejects count`"
)


@dataclass(frozen=True)
class Window:
    """The matches that a gate on the warehouse checks, as of an instant (UTC).

    Everything if `since` is None; otherwise matches that kick off after `since`, and those with a fact from a payload
    that the gate has not checked, or that was replayed since.
    """

    gate: str
    as_of: datetime
    since: datetime | None


def core_suites(window: Window) -> list[Suite]:
    """Expectations on the core layer before ratings and features are built on it."""
    import great_expectations.expectations as gxe

    return [
        Suite(
            "core_total",
            "select 'core.match' as row_key, null as competition, "
            "(select count(*) from (select from core.match limit 1) as one) as n_matches",
            lambda: [
                block(
                    gxe.ExpectColumnMaxToBeBetween, "collect first: there is no match",
                    column="n_matches", min_value=1,
                ),
            ],
        ),
        Suite(
            "core_match",
            query("quality/suites/core_match"),
            lambda: [
                block(gxe.ExpectColumnValuesToBeUnique, REBUILD, column="match_id"),
                block(gxe.ExpectColumnValuesToNotBeNull, REBUILD, column="kickoff_at"),
                block(gxe.ExpectColumnValuesToBeBetween, REBUILD, column="n_unknown_teams", max_value=0),
                block(gxe.ExpectColumnValuesToBeBetween, REBUILD, column="n_results_missing", max_value=0),
            ],
            vars(window),
        ),
        Suite(
            "core_match_result",
            query("quality/suites/core_match_result"),
            lambda: [
                block(
                    gxe.ExpectColumnValuesToBeBetween, REBUILD,
                    column="seconds_after_kickoff", min_value=0, strict_min=True,
                ),
                block(gxe.ExpectColumnValuesToNotBeNull, REBUILD, column="goals"),
                block(gxe.ExpectColumnValuesToBeBetween, REBUILD, column="n_without_match", max_value=0),
            ],
            vars(window),
        ),
        Suite(
            "core_consensus",
            query("quality/suites/core_consensus"),
            lambda: [
                block(gxe.ExpectColumnValuesToBeBetween, COMPARE, column="share_impossible", max_value=0.02),
                warn(
                    gxe.ExpectColumnValuesToBeBetween, COMPARE,
                    column="mean_overround", min_value=1.0, max_value=1.2,
                ),
            ],
            vars(window) | dict(zip(("lowest", "highest"), OVERROUND_BOUNDS, strict=True)),
        ),
        Suite(
            "core_competition",
            query("quality/suites/core_competition"),
            lambda: [
                warn(gxe.ExpectColumnValuesToBeBetween, COMPARE, column=column, min_value=-4.5, max_value=4.5)
                for column in ("goals_z", "home_win_z")
            ],
            vars(window),
        ),
        Suite(
            "core_volume",
            query("quality/suites/core_volume"),
            lambda: [warn(gxe.ExpectColumnValuesToBeBetween, COMPARE, column="excess", max_value=0)],
            vars(window),
        ),
    ]  # fmt: skip


def feature_suites(window: Window) -> list[Suite]:
    """Expectations on the features before a model learns from them or predicts with them."""
    import great_expectations.expectations as gxe

    ranges: dict[str, tuple[float | None, float | None]] = {
        "seconds_to_kickoff": (1e-6, None),
        "seconds_before_as_of": (0, None),
        "home_elo": ELO_BOUNDS,
        "away_elo": ELO_BOUNDS,
        "home_pi": PI_BOUNDS,
        "away_pi": PI_BOUNDS,
        "home_points_5": (0, 3),
        "away_points_5": (0, 3),
        "season_progress": (0, 1),
        "lowest_price": (1, None),
    }
    return [
        Suite(
            "match_features",
            query("quality/suites/match_features"),
            lambda: [
                block(gxe.ExpectColumnValuesToBeUnique, REBUILD, column="match_id"),
                *(
                    block(gxe.ExpectColumnValuesToNotBeNull, REBUILD, column=column)
                    for column in ("seconds_to_kickoff", "season_progress")
                ),
                *(
                    block(
                        gxe.ExpectColumnValuesToBeBetween, REBUILD, column=column, min_value=low, max_value=high
                    )
                    for column, (low, high) in ranges.items()
                ),
                *(
                    warn(gxe.ExpectColumnValuesToNotBeNull, COMPARE, column=column, mostly=0.9)
                    for column in ("home_elo", "away_elo", "home_pi", "away_pi")
                ),
            ],
            vars(window),
        ),
        Suite(
            "feature_coverage",
            query("quality/suites/feature_coverage"),
            lambda: [
                block(
                    gxe.ExpectColumnValuesToBeBetween, "run `touchline build`: fixtures ahead have no features",
                    column="n_missing", max_value=0,
                )
            ],
            vars(window),
        ),
    ]  # fmt: skip
