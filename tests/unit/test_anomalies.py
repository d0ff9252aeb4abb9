"""Each detector finds what it is for in a small made-up league, names it rightly, and is silent otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import numpy as np
import polars as pl
import pytest

from touchline.anomalies.bookmakers import find_missing_bookmakers
from touchline.anomalies.change_points import alarms
from touchline.anomalies.distributions import BLOCK, GRID, find_shifted_features
from touchline.anomalies.levels import find_level_anomalies
from touchline.anomalies.odds import find_odds_anomalies
from touchline.anomalies.results import COUNTS, find_result_anomalies
from touchline.anomalies.weeks import is_judged, week_of, weekly
from touchline.anomalies.whole_market import find_market_anomalies

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
    assert find_missing_bookmakers(weeks, everything).is_empty()


def test_a_price_that_left_the_pack_is_found_and_nobody_else_is_blamed(quotes: pl.DataFrame):
    match_id = one_sided(quotes)
    wrong = changed(quotes, quote_of(match_id), price_home=pl.col("price_home") * 1.8)
    found = find_odds_anomalies(*newest(wrong))
    assert found["subject"].to_list() == [f"{match_id}/PS/1x2/0.0/prematch"]
    assert "7 bookmakers" in found["compared_with"][0]


def test_exchanged_home_and_away_prices_leave_the_pack(quotes: pl.DataFrame):
    match_id = one_sided(quotes)
    wrong = changed(
        quotes, quote_of(match_id), price_home=pl.col("price_away"), price_away=pl.col("price_home")
    )
    (found,) = find_odds_anomalies(*newest(wrong)).to_dicts()
    assert found["subject"] == f"{match_id}/PS/1x2/0.0/prematch"
    assert found["observed"] == pytest.approx(-found["expected"], abs=0.1)


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
        ("home_shots", 90, "statistic_unusual"),
        ("away_goals", 11, "statistics_contradict"),
    ],
)
def test_a_wrong_number_in_a_result_is_found(seasons: pl.DataFrame, column: str, value: int, detector: str):
    wrong = changed(seasons, pl.col("match_id") == "2-30", **{column: value})
    found = find_result_anomalies(*newest(wrong))
    assert set(found["match_id"]) == {"2-30"}
    assert detector in found["detector"].to_list()


def test_three_goals_more_than_shots_on_target_are_found_where_shots_were_counted(seasons: pl.DataFrame):
    row = pl.col("match_id") == "2-30"
    wrong = changed(seasons, row, home_goals=4, home_shots_on_target=1)
    assert find_result_anomalies(*newest(wrong))["what"].to_list() == ["4 home goals but 1 shots on target"]
    assert find_result_anomalies(*newest(changed(wrong, row, home_goals=3))).is_empty()
    assert find_result_anomalies(*newest(changed(wrong, row, home_shots=0, away_shots=0))).is_empty()


def test_exchanged_columns_of_a_week_are_found(seasons: pl.DataFrame):
    week = week_of(pl.col("kickoff_at")) == seasons.select(week_of(pl.col("kickoff_at"))).to_series()[-20]
    pairs = [(f"{side}_fouls", f"{side}_corners") for side in ("home", "away")]
    wrong = changed(seasons, week, **{one: pl.col(two) for pair in pairs for one, two in (pair, pair[::-1])})
    found = find_level_anomalies(weekly(wrong), is_judged(FIRST, FIRST + timedelta(days=2000)))
    assert {subject.split("/")[-1] for subject in found["subject"]} == {"fouls", "corners"}


def missing_bookmakers(matches: pl.DataFrame, where: pl.Expr) -> list[dict[str, object]]:
    fewer = changed(matches, where, market_n_bookmakers=3.0)
    return find_missing_bookmakers(weekly(fewer), is_judged(FIRST, FIRST + timedelta(days=2000))).to_dicts()


def test_bookmakers_missing_in_a_week_are_found_once_however_many_competitions_they_left(
    seasons: pl.DataFrame,
):
    day = seasons.select(week_of(pl.col("kickoff_at"))).to_series()[-30]
    week = week_of(pl.col("kickoff_at")) == day
    (alone,) = missing_bookmakers(seasons, week)
    assert (alone["subject"], alone["observed"], alone["expected"]) == (f"E0/{day:%Y-%m-%d}", 3.0, 6.0)
    four = pl.concat([seasons.with_columns(competition=pl.lit(code)) for code in ("E0", "E1", "E2", "E3")])
    (together,) = missing_bookmakers(four, week)
    assert (together["subject"], together["competition"]) == (f"several/{day:%Y-%m-%d}", None)
    assert together["place"] == f"E0, E1, E2, E3, week from {day:%Y-%m-%d}"


def test_a_level_shift_raises_one_alarm_soon_after_it_began():
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(1.05, 0.004, 60), rng.normal(1.08, 0.004, 40)])
    ((index, began, expected, total),) = alarms(values, 0.005)
    assert 60 <= began <= index <= 66
    assert expected == pytest.approx(1.05, abs=0.003)
    assert total > 7
    assert list(alarms(values[:60], 0.005)) == []


def test_one_odd_week_is_no_level_shift():
    values = np.random.default_rng(3).normal(1.05, 0.004, 80)
    values[60] = 2.0
    assert list(alarms(values, 0.005)) == []


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
