"""The expectations, as code. Each says how bad it is when it fails: `block` stops the run, `warn` does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import great_expectations.expectations as gxe

from touchline.identity.teams import ANCHOR
from touchline.landing.resolve import WAITING_RULES

WAITING = ", ".join(f"'{rule}'" for rule in WAITING_RULES)
# An overround below 1 is a price nobody offers; the market's best prices are not in the consensus.
OVERROUND_BOUNDS = (0.97, 1.35)
ELO_BOUNDS = (400.0, 2800.0)
# Goals by which a team beats an average one.
PI_BOUNDS = (-10.0, 10.0)


@dataclass(frozen=True)
class Suite:
    """Expectations on the rows of one query (or of a given frame, where `query` is None).

    Rows have a text column `row_key` that says which row it is, for samples in messages.
    """

    name: str
    query: str | None
    expectations: Callable[[], Sequence[Any]]


def block(expectation: Callable[..., Any], **arguments: Any) -> Any:
    """An expectation whose failure stops the run."""
    return expectation(meta={"severity": "block"}, **arguments)


def warn(expectation: Callable[..., Any], **arguments: Any) -> Any:
    """An expectation whose failure is recorded and shown, nothing more."""
    return expectation(meta={"severity": "warn"}, **arguments)


def landing_suites(since_payload_id: int) -> list[Suite]:
    """What every newly landed payload must hold; payloads up to `since_payload_id` have passed already."""
    since = int(since_payload_id)
    return [
        Suite(
            "landing_payload",
            # Rows that wait for a team or a match are not bad rows. Where one of several sources sends nonsense, others
            # still speak; without the anchor source, whose names are everybody's, nothing should go on.
            "select concat_ws(' ', 'payload', payload_id, source, endpoint) as row_key, n_rows, "  # noqa: S608
            "n_parsed + n_rejected - n_rows as n_unaccounted, rejected_share, "
            f"case when source = '{ANCHOR}' then rejected_share else 0 end as anchor_rejected_share "
            "from landing.payload_parsed as parsed inner join landing.payload using (payload_id) "
            "inner join lateral (select case when n_rows >= 20 then "
            "(n_rejected - count(distinct row_number))::float8 / n_rows else 0 end as rejected_share "
            "from landing.rejected_row where rejected_row.payload_id = parsed.payload_id and scope = 'row' "
            f"and rule in ({WAITING}) and rejected_row.run_id = parsed.run_id) as counted on true "
            f"where payload_id > {since}",
            lambda: [
                block(gxe.ExpectColumnValuesToBeBetween, column="n_unaccounted", min_value=0, max_value=0),
                block(gxe.ExpectColumnValuesToBeBetween, column="anchor_rejected_share", max_value=0.5),
                warn(gxe.ExpectColumnValuesToBeBetween, column="rejected_share", max_value=0.05),
            ],
        ),
        Suite(
            "landing_fixture",
            "select concat_ws(' ', 'payload', payload_id, 'row', row_number) as row_key, home_team, away_team, "  # noqa: S608
            f"kickoff_at from landing.fixture_observation where payload_id > {since}",
            lambda: [
                block(gxe.ExpectColumnValuesToNotBeNull, column="kickoff_at"),
                block(
                    gxe.ExpectColumnValueLengthsToBeBetween, column="home_team", min_value=1, max_value=100
                ),
                block(
                    gxe.ExpectColumnValueLengthsToBeBetween, column="away_team", min_value=1, max_value=100
                ),
            ],
        ),
        Suite(
            "landing_score",
            "select concat_ws(' ', 'payload', payload_id, 'row', row_number) as row_key, "  # noqa: S608
            f"(home_goals + away_goals)::float8 as goals from landing.score_observation where payload_id > {since}",
            lambda: [
                block(gxe.ExpectColumnValuesToBeBetween, column="goals", min_value=0, max_value=40),
                warn(gxe.ExpectColumnValuesToBeBetween, column="goals", min_value=0, max_value=12),
            ],
        ),
        Suite(
            "landing_quote",
            "select concat_ws(' ', 'payload', payload_id, 'row', row_number, bookmaker, market) as row_key, "  # noqa: S608
            "least(price_home, price_draw, price_away, price_over, price_under) as lowest_price, "
            "greatest(price_home, price_draw, price_away, price_over, price_under) as highest_price "
            f"from landing.odds_observation where payload_id > {since} "
            # Payloads are stored in order of time: only the months since then are read.
            f"and observed_at >= (select min(observed_at) from landing.payload where payload_id > {since})",
            lambda: [
                block(
                    gxe.ExpectColumnValuesToBeBetween, column="lowest_price", min_value=1.0, strict_min=True
                ),
                block(gxe.ExpectColumnValuesToBeBetween, column="highest_price", max_value=1001.0),
            ],
        ),
    ]


def core_suites() -> list[Suite]:
    """What the core layer must hold before ratings and features are built on it."""
    return [
        Suite(
            "core_match",
            "select concat_ws(' ', competition, season, home_team, away_team, match_id) as row_key, "
            "match_id::text as match_id, kickoff_at from core.match",
            lambda: [
                block(gxe.ExpectTableRowCountToBeBetween, min_value=1),
                block(gxe.ExpectColumnValuesToBeUnique, column="match_id"),
                block(gxe.ExpectColumnValuesToNotBeNull, column="kickoff_at"),
            ],
        ),
        Suite(
            "core_match_result",
            "select concat_ws(' ', competition, home_team, away_team, match_id) as row_key, "
            "(home_goals + away_goals)::float8 as goals, (outcome = 'home')::int::float8 as is_home_win, "
            "extract(epoch from match_result.known_at - match.kickoff_at)::float8 as seconds_after_kickoff "
            "from core.match_result inner join core.match using (match_id)",
            lambda: [
                block(
                    gxe.ExpectColumnValuesToBeBetween,
                    column="seconds_after_kickoff", min_value=0, strict_min=True,
                ),
                block(gxe.ExpectColumnValuesToNotBeNull, column="goals"),
                warn(gxe.ExpectColumnMeanToBeBetween, column="goals", min_value=1.8, max_value=3.8),
                warn(gxe.ExpectColumnMeanToBeBetween, column="is_home_win", min_value=0.3, max_value=0.6),
            ],
        ),
        Suite(
            "core_consensus",
            "select concat_ws(' ', match_id, stage) as row_key, overround from core.match_odds "
            "where bookmaker = 'consensus' and market = '1x2'",
            lambda: [
                block(
                    gxe.ExpectColumnValuesToBeBetween, column="overround",
                    min_value=OVERROUND_BOUNDS[0], max_value=OVERROUND_BOUNDS[1], mostly=0.999,
                ),
            ],
        ),
    ]  # fmt: skip


def feature_suites(as_of: datetime) -> list[Suite]:
    """What the features must hold before a model learns from them or predicts with them."""
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
            "select concat_ws(' ', competition, match_id) as row_key, match_id::text as match_id, home_elo, away_elo, "  # noqa: S608
            "home_pi, away_pi, home_points_5, away_points_5, season_progress, "
            "least(market_price_home, market_price_draw, market_price_away) as lowest_price, "
            "extract(epoch from kickoff_at - features_as_of)::float8 as seconds_to_kickoff, "
            f"extract(epoch from '{as_of.isoformat()}'::timestamptz - features_as_of)::float8 as seconds_before_as_of "
            "from features.match_features",
            lambda: [
                block(gxe.ExpectTableRowCountToBeBetween, min_value=1),
                block(gxe.ExpectColumnValuesToBeUnique, column="match_id"),
                *(
                    block(gxe.ExpectColumnValuesToNotBeNull, column=column)
                    for column in ("seconds_to_kickoff", "season_progress")
                ),
                *(
                    block(gxe.ExpectColumnValuesToBeBetween, column=column, min_value=low, max_value=high)
                    for column, (low, high) in ranges.items()
                ),
                *(
                    warn(gxe.ExpectColumnValuesToNotBeNull, column=column, mostly=0.9)
                    for column in ("home_elo", "away_elo", "home_pi", "away_pi")
                ),
            ],
        )
    ]


def prediction_suites() -> list[Suite]:
    """What predictions must hold before they enter the ledger; checked on the frame that would be written."""
    share = {"min_value": 0.0, "max_value": 1.0}
    exact = {"min_value": 1 - 1e-9, "max_value": 1 + 1e-9}
    return [
        Suite(
            "predictions",
            None,
            lambda: [
                *(
                    block(gxe.ExpectColumnValuesToBeBetween, column=column, **share)
                    for column in ("p_home", "p_draw", "p_away")
                ),
                *(
                    block(gxe.ExpectColumnValuesToNotBeNull, column=column)
                    for column in ("p_home", "p_draw", "p_away", "expected_home_goals", "expected_away_goals")
                ),
                block(gxe.ExpectColumnValuesToBeBetween, column="p_sum", **exact),
                block(gxe.ExpectColumnValuesToBeBetween, column="grid_sum", min_value=0.999, max_value=1.001),
                block(
                    gxe.ExpectColumnValuesToBeBetween,
                    column="seconds_to_kickoff", min_value=0, strict_min=True,
                ),
                block(
                    gxe.ExpectCompoundColumnsToBeUnique,
                    column_list=["match_id", "model_version", "forecast"],
                ),
                warn(gxe.ExpectColumnValuesToBeBetween, column="p_home", min_value=0.02, max_value=0.97),
            ],
        )
    ]  # fmt: skip
