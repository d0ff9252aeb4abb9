"""Each detector finds what it is for in a small made-up league, names it rightly, and is silent otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import numpy as np
import polars as pl
import pytest

from touchline.quality.anomalies.change_points import alarms
from touchline.quality.anomalies.distributions import BLOCK, GRID, find_shifted_features
from touchline.quality.anomalies.forest import find_odd_statistics
from touchline.quality.anomalies.levels import find_level_anomalies
from touchline.quality.anomalies.odds import find_odds_anomalies
from touchline.quality.anomalies.results import COUNTS, find_result_anomalies
from touchline.quality.anomalies.robust import centre_and_sigma, population_stability
from touchline.quality.anomalies.volumes import find_volume_anomalies
from touchline.quality.anomalies.weeks import is_judged, week_of, weekly
from touchline.quality.anomalies.whole_market import find_market_anomalies

TEAMS = [f"Team {letter}" for letter in "ABCDEFGHIJ"]
FIRST = datetime(2019, 8, 10, 14, tzinfo=UTC)
BOOKMAKERS = ("B365", "PS", "WH", "IW", "VC", "BW", "market_average")
MEANS = dict(zip(COUNTS, (1.4, 12.0, 4.5, 5.0, 11.0, 2.0, 0.1), strict=True))


@pytest.fixture(scope="module")
def seasons() -> pl.DataFrame:
    """Three seasons of ten teams, five matches a week, with results, consensus prices and bookmakers counted."""
    rng = np.random.default_rng(5)
    strength = dict(zip(TEAMS, rng.normal(0, 0.5, len(TEAMS)), strict=True))
    rows = []
    for season in range(3):
        pairs = list(permutations(TEAMS, 2))
        rng.shuffle(pairs)
        for number, (home, away) in enumerate(pairs):
            kickoff = FIRST + timedelta(days=364 * season + 7 * (number // 5))
            side = 0.4 + strength[home] - strength[away] + rng.normal(0, 0.12)
            weights = np.exp([side / 2, -0.2 - abs(side) / 4, -side / 2])
            prices = weights.sum() / weights / 1.05
            row = {
                "match_id": f"{season}-{number}",
                "competition": "E0",
                "season": f"{2019 + season}/{20 + season}",
                "home_team": home,
                "away_team": away,
                "kickoff_at": kickoff,
                "status": "played",
                "known_at": kickoff,
                "side": side,
                "market_n_bookmakers": 6.0,
                "strength": strength[home],
            } | {
                f"market_price_{name}": price
                for name, price in zip(("home", "draw", "away"), prices, strict=True)
            }
            for name, mean in MEANS.items():
                row |= {f"{one}_{name}": int(rng.poisson(mean)) for one in ("home", "away")}
            for one in ("home", "away"):
                row[f"{one}_shots_on_target"] = min(row[f"{one}_shots"], row[f"{one}_goals"] + 3)
                row[f"{one}_goals_half_time"] = row[f"{one}_goals"] // 2
            rows.append(row)
    return pl.DataFrame(rows).sort("kickoff_at", "match_id")  # fmt: skip


@pytest.fixture(scope="module")
def quotes(seasons: pl.DataFrame) -> pl.DataFrame:
    """1X2 quotes of seven witnesses, each a little off the consensus, before kick-off and at it."""
    rng = np.random.default_rng(6)
    rows = []
    named = ("match_id", "competition", "season", "home_team", "away_team", "kickoff_at", "known_at")
    for match in seasons.to_dicts():
        prices = np.array([match[f"market_price_{name}"] for name in ("home", "draw", "away")])
        for bookmaker in BOOKMAKERS:
            for stage in ("prematch", "closing"):
                noisy = prices * np.exp(rng.normal(0, 0.01, 3))
                rows.append(
                    {name: match[name] for name in named}
                    | {"bookmaker": bookmaker, "market": "1x2", "line": 0.0, "stage": stage, "price_over": None,
                       "price_under": None}
                    | dict(zip(("price_home", "price_draw", "price_away"), noisy, strict=True))
                )  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"price_over": pl.Float64, "price_under": pl.Float64})


def newest(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The last season, and what was there before it."""
    is_new = pl.col("match_id").str.starts_with("2-")
    return frame.filter(is_new), frame.filter(~is_new)


def changed(frame: pl.DataFrame, where: pl.Expr, **columns: pl.Expr | float) -> pl.DataFrame:
    return frame.with_columns(
        pl.when(where).then(value).otherwise(pl.col(name)).cast(frame.schema[name]).alias(name)
        for name, value in columns.items()
    )


def one_sided(quotes: pl.DataFrame) -> str:
    """A match of the last season with a clear favourite."""
    prices = quotes.filter(pl.col("match_id").str.starts_with("2-") & (pl.col("price_home") < 1.5))
    return str(prices["match_id"][0])


def quote_of(match_id: str, stage: str = "prematch") -> pl.Expr:
    return (pl.col("match_id") == match_id) & (pl.col("bookmaker") == "PS") & (pl.col("stage") == stage)


def test_a_league_as_usual_has_no_anomalies(seasons: pl.DataFrame, quotes: pl.DataFrame):
    assert find_odds_anomalies(*newest(quotes)).is_empty()
    assert find_result_anomalies(*newest(seasons)).is_empty()
    assert find_market_anomalies(seasons, pl.col("match_id").str.starts_with("2-")).is_empty()
    weeks = weekly(seasons)
    everything = is_judged(FIRST + timedelta(days=700), FIRST + timedelta(days=2000))
    assert find_level_anomalies(weeks, everything).is_empty()
    assert find_volume_anomalies(weeks, seasons, everything).is_empty()


def test_a_price_that_left_the_pack_is_found_and_nobody_else_is_blamed(quotes: pl.DataFrame):
    match_id = one_sided(quotes)
    wrong = changed(quotes, quote_of(match_id), price_home=pl.col("price_home") * 1.8)
    found = find_odds_anomalies(*newest(wrong))
    assert found["subject"].to_list() == [f"{match_id}/PS/1x2/0.0/prematch"]
    assert found["detector"].to_list() == ["price_left_pack"]
    assert "7 bookmakers" in found["compared_with"][0]


def test_exchanged_home_and_away_prices_are_named_as_such(quotes: pl.DataFrame):
    match_id = one_sided(quotes)
    wrong = changed(
        quotes, quote_of(match_id), price_home=pl.col("price_away"), price_away=pl.col("price_home")
    )
    (found,) = find_odds_anomalies(*newest(wrong)).to_dicts()
    assert found["detector"] == "price_swapped_sides"
    assert found["severity"] == "warn"


def test_prices_of_another_match_are_traced_to_it(quotes: pl.DataFrame):
    match_id = one_sided(quotes)
    match = quotes.filter(quote_of(match_id)).to_dicts()[0]
    others = quotes.filter(
        (pl.col("kickoff_at") == match["kickoff_at"]) & (pl.col("bookmaker") == "PS") & (pl.col("stage") == "prematch")
        & (pl.col("price_home") > 2.2)
    ).to_dicts()  # fmt: skip
    other = others[0]
    prices = {name: pl.lit(other[name]) for name in ("price_home", "price_draw", "price_away")}
    (found,) = find_odds_anomalies(*newest(changed(quotes, quote_of(match_id), **prices))).to_dicts()
    assert found["detector"] == "price_of_another_match"
    assert f"{other['home_team']} - {other['away_team']}" in found["what"]


def test_a_line_that_moved_against_all_is_found_though_it_is_near_the_pack(quotes: pl.DataFrame):
    even = pl.col("price_home").is_between(2.2, 2.8) & pl.col("match_id").str.starts_with("2-")
    match_id = str(quotes.filter(even)["match_id"][0])
    home, away = pl.col("price_home"), pl.col("price_away")
    wrong = changed(quotes, quote_of(match_id), price_home=home * 0.9, price_away=away * 1.1)
    wrong = changed(wrong, quote_of(match_id, "closing"), price_home=home * 1.1, price_away=away * 0.9)
    (found,) = find_odds_anomalies(*newest(wrong)).to_dicts()
    assert found["subject"] == f"{match_id}/PS/1x2/0.0/closing"
    assert found["detector"] == "price_moved_against_all"


def test_a_match_whose_teams_were_exchanged_by_all_bookmakers_is_found(seasons: pl.DataFrame):
    turned = seasons.filter(pl.col("match_id").str.starts_with("2-") & (pl.col("side") > 1.2))["match_id"][0]
    wrong = changed(seasons, pl.col("match_id") == turned, side=-pl.col("side"))
    (found,) = find_market_anomalies(wrong, pl.col("match_id").str.starts_with("2-")).to_dicts()
    assert found["match_id"] == turned
    assert found["what"] == "all bookmakers have home and away exchanged"


@pytest.mark.parametrize(
    ("column", "value", "detector"),
    [
        ("home_goals", 14, "statistic_unusual"),
        ("away_corners", 66, "statistic_unusual"),
        ("home_shots_on_target", 40, "statistics_contradict"),
        ("away_goals_half_time", 9, "statistics_contradict"),
    ],
)
def test_a_wrong_number_in_a_result_is_found(seasons: pl.DataFrame, column: str, value: int, detector: str):
    wrong = changed(seasons, pl.col("match_id") == "2-30", **{column: value})
    found = find_result_anomalies(*newest(wrong))
    assert set(found["match_id"]) == {"2-30"}
    assert detector in found["detector"].to_list()


def test_a_row_that_is_odd_in_all_its_counts_is_found_though_no_single_count_is(seasons: pl.DataFrame):
    rare = {"shots": 27, "shots_on_target": 13, "corners": 14, "fouls": 24, "yellow_cards": 8, "red_cards": 2}
    values = {f"{side}_{name}": value for side in ("home", "away") for name, value in rare.items()}
    wrong = changed(seasons, pl.col("match_id") == "2-30", home_goals=5, away_goals=5, **values)
    new, known = newest(wrong)
    reference = pl.concat([known] * 2)
    assert find_result_anomalies(new, reference).is_empty()
    found = find_odd_statistics(new, reference, seed=1)
    assert found["match_id"].to_list() == ["2-30"]
    assert found.equals(find_odd_statistics(new, reference, seed=1))


def test_doubled_goals_of_a_week_are_found(seasons: pl.DataFrame):
    week = week_of(pl.col("kickoff_at")) == seasons.select(week_of(pl.col("kickoff_at"))).to_series()[-20]
    wrong = changed(seasons, week, home_goals=pl.col("home_goals") * 3, away_goals=pl.col("away_goals") * 3)
    found = find_level_anomalies(weekly(wrong), is_judged(FIRST, FIRST + timedelta(days=2000)))
    assert found.filter(pl.col("subject").str.ends_with("/goals")).height == 1


def test_a_duplicated_round_missing_results_and_missing_bookmakers_are_found(seasons: pl.DataFrame):
    weeks = seasons.select(week_of(pl.col("kickoff_at"))).to_series()
    first, second, third = (week_of(pl.col("kickoff_at")) == weeks[-n] for n in (50, 40, 30))
    again = seasons.filter(first).with_columns(
        pl.col("kickoff_at") + timedelta(days=1), match_id=pl.format("again-{}", "match_id")
    )
    wrong = changed(
        seasons, second, home_goals=pl.lit(None), away_goals=pl.lit(None), status=pl.lit("scheduled")
    )
    wrong = changed(wrong, third, market_n_bookmakers=3.0)
    wrong = pl.concat([wrong, again]).sort("kickoff_at", "match_id")
    found = find_volume_anomalies(weekly(wrong), wrong, is_judged(FIRST, FIRST + timedelta(days=2000)))
    n_found = dict(found["detector"].value_counts().iter_rows())
    assert n_found == {"pairing_repeated": 5, "results_missing": 1, "bookmakers_missing": 1}


def test_a_level_shift_raises_one_alarm_soon_after_it_began():
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(1.05, 0.004, 60), rng.normal(1.08, 0.004, 40)])
    ((index, began, expected, total),) = alarms(values, np.ones(100), 0.005)
    assert 60 <= began <= index <= 66
    assert expected == pytest.approx(1.05, abs=0.003)
    assert total > 7
    assert list(alarms(values[:60], np.ones(60), 0.005)) == []


def test_one_odd_week_is_no_level_shift():
    values = np.random.default_rng(3).normal(1.05, 0.004, 80)
    values[60] = 2.0
    assert list(alarms(values, np.ones(80), 0.005)) == []


def test_a_feature_that_went_missing_or_was_scaled_is_found_and_the_others_are_not():
    rng = np.random.default_rng(4)
    start = GRID + 260 * BLOCK
    days = [start - timedelta(days=400) + timedelta(hours=4 * n) for n in range(6 * 428)]
    frame = pl.DataFrame({"kickoff_at": days, "competition": "E0"}).with_columns(
        **{name: pl.Series(rng.normal(10, 2, len(days))) for name in ("fine", "scaled", "missing")}
    )
    inside = pl.col("kickoff_at") >= start + timedelta(hours=1)
    wrong = frame.with_columns(
        scaled=pl.when(inside).then(pl.col("scaled") * 1.5).otherwise("scaled"),
        missing=pl.when(inside & (pl.int_range(pl.len()) % 2 == 0)).then(None).otherwise("missing"),
    )
    names, until = ["fine", "scaled", "missing"], start + timedelta(days=40)
    assert find_shifted_features(frame, names, start, until).is_empty()
    found = find_shifted_features(wrong, names, start, until)
    assert {subject.split("/")[0] for subject in found["subject"]} == {"scaled", "missing"}


def test_a_few_wild_values_move_neither_median_nor_mad():
    values = np.append(np.arange(99.0), [1e9, -1e9, np.nan])
    assert centre_and_sigma(values, 0.1) == (49.0, pytest.approx(1.4826 * 25))
    with pytest.raises(ValueError, match="no finite value"):
        centre_and_sigma(np.array([np.nan]), 0.1)


def test_population_stability_is_near_zero_for_the_same_and_large_for_another_distribution():
    rng = np.random.default_rng(2)
    before = rng.normal(0, 1, 4000)
    assert population_stability(before, rng.normal(0, 1, 1000)) < 0.05
    assert population_stability(before, rng.normal(1, 1, 1000)) > 0.5
    assert population_stability(before, np.full(100, np.nan)) > 1
