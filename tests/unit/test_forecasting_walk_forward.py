"""Walk-forward and its evaluation: no look ahead, the same matches for everybody."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from touchline.errors import BacktestImpossible
from touchline.forecasting.backtest import BacktestRequest, backtest, backtest_settings
from touchline.forecasting.evaluation import evaluate
from touchline.forecasting.metrics import log_loss, score
from touchline.forecasting.specs import ladder, nightly
from touchline.forecasting.walk_forward import (
    BETTING_PRICES,
    probabilities_of,
    probability_columns,
    walk_forward,
)
from touchline.settings import Settings
from training_frames import QUICK, simulated_matches, without_prices

SCORES = {"n", "rps", "log_loss", "brier", "accuracy", "ece", "slope"}


@pytest.fixture(scope="module")
def matches() -> pd.DataFrame:
    return simulated_matches(n_seasons=4, n_a_season=250)


@pytest.fixture(scope="module")
def predictions(matches: pd.DataFrame) -> pd.DataFrame:
    return walk_forward(matches, ["2017/18", "2018/19"], QUICK)


def test_each_match_of_the_seasons_is_forecast_once(matches: pd.DataFrame, predictions: pd.DataFrame) -> None:
    asked = matches[matches["season"].isin(["2017/18", "2018/19"])]
    assert sorted(predictions["match_id"]) == sorted(asked["match_id"])
    for name in ladder():
        assert probabilities_of(predictions, name).sum(axis=1) == pytest.approx(np.ones(len(asked)))


def test_a_season_does_not_know_itself_or_what_came_after(
    matches: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    """Outcomes and closing prices of the tested and later seasons are turned over: forecasts stay the same."""
    turned = matches.copy()
    late = turned["season"] >= "2017/18"
    turned.loc[late, "outcome"] = 2 - turned.loc[late, "outcome"]
    for prices in ("closing_price", "closing_pinnacle"):
        names = [f"{prices}_home", f"{prices}_away"]
        turned.loc[late, names] = turned.loc[late, names[::-1]].to_numpy()
    again = walk_forward(turned, ["2017/18"], QUICK, names=(*nightly(), "base_rates"))
    before = predictions[predictions["season"] == "2017/18"].reset_index(drop=True)
    for name in ("base_rates", "elo", "no_odds", "market_prematch", "with_odds"):
        columns = probability_columns(name)
        pd.testing.assert_frame_equal(again[columns], before[columns], check_exact=True)


def test_the_season_before_is_learnt_from(matches: pd.DataFrame, predictions: pd.DataFrame) -> None:
    turned = matches.copy()
    early = turned["season"] == "2016/17"
    turned.loc[early, "outcome"] = 2 - turned.loc[early, "outcome"]
    again = walk_forward(turned, ["2017/18"], QUICK, names=("no_odds",))
    before = predictions[predictions["season"] == "2017/18"]
    assert not np.allclose(probabilities_of(again, "no_odds"), probabilities_of(before, "no_odds"))


def test_a_first_season_cannot_be_forecast(matches: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="nothing to learn from"):
        walk_forward(matches, ["2015/16"], QUICK)
    found = walk_forward(matches, ["2015/16", "2016/17"], QUICK, names=("elo",))
    assert set(found["season"]) == {"2016/17"}


def test_seasons_are_reported_as_they_finish(matches: pd.DataFrame) -> None:
    seen: list[tuple[str, int, int]] = []
    walk_forward(matches, ["2018/19", "2017/18"], QUICK, lambda *each: seen.append(each), names=("elo",))
    assert seen == [("2016/17", 1, 3), ("2017/18", 2, 3), ("2018/19", 3, 3)]


def test_weekly_refits_know_the_weeks_before(matches: pd.DataFrame, predictions: pd.DataFrame) -> None:
    month = matches[matches["season"] != "2018/19"]
    month = month[
        (month["season"] != "2017/18") | (month["kickoff_at"] < pd.Timestamp("2017-09-01", tz="UTC"))
    ]
    weekly = walk_forward(month, ["2017/18"], QUICK, refit="weekly", names=("base_rates", "elo"))
    seasonal = predictions[predictions["match_id"].isin(weekly["match_id"])]
    assert (weekly["learned_until"] < weekly["kickoff_at"]).all()
    assert weekly["learned_until"].nunique() > 3
    first = weekly["learned_until"] == weekly["learned_until"].min()
    same = probabilities_of(weekly, "elo") == probabilities_of(seasonal, "elo")
    assert same[first].all()
    assert not same[~first].any()


def test_windows_that_are_done_are_not_done_again(matches: pd.DataFrame, tmp_path: Path) -> None:
    names = ("base_rates", "elo")
    whole = walk_forward(matches, ["2017/18", "2018/19"], QUICK, names=names, store=tmp_path)
    kept = sorted(tmp_path.glob("*.parquet"))
    assert len(kept) == 3
    made = [path.stat().st_mtime_ns for path in kept[:2]]
    kept[2].unlink()
    again = walk_forward(matches, ["2017/18", "2018/19"], QUICK, names=names, store=tmp_path)
    pd.testing.assert_frame_equal(again, whole, check_exact=True)
    assert [path.stat().st_mtime_ns for path in kept[:2]] == made


def test_a_stored_window_that_cannot_be_read_is_done_again(matches: pd.DataFrame, tmp_path: Path) -> None:
    names = ("base_rates", "elo")
    whole = walk_forward(matches, ["2018/19"], QUICK, names=names, store=tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    again = walk_forward(matches, ["2018/19"], QUICK, names=names, store=tmp_path)
    pd.testing.assert_frame_equal(again, whole, check_exact=True)
    assert {path.suffix for path in tmp_path.iterdir()} == {".parquet"}


def test_seasons_that_overlap_do_not_calibrate_each_other_ahead_of_time(matches: pd.DataFrame) -> None:
    """One competition plays from January to December, the other from August to May."""
    of_the_year = matches["kickoff_at"].dt.year.astype(str)
    mixed = matches.assign(season=matches["season"].mask(matches["competition"] == "E1", of_the_year))
    begun = mixed.loc[mixed["season"] == "2018/19", "kickoff_at"].min()
    late = (mixed["season"] == "2018") & (mixed["kickoff_at"] >= begun)
    assert late.sum() > 20
    turned = mixed.copy()
    turned.loc[late, "outcome"] = 2 - turned.loc[late, "outcome"]
    found = [walk_forward(each, ["2018/19"], QUICK, names=("no_odds",)) for each in (mixed, turned)]
    columns = probability_columns("no_odds")
    pd.testing.assert_frame_equal(found[0][columns], found[1][columns], check_exact=True)


def test_weeks_without_a_match_are_passed_over(matches: pd.DataFrame) -> None:
    start = matches.loc[matches["season"] == "2017/18", "kickoff_at"].min()
    days = (matches["kickoff_at"] - start).dt.days
    short = matches[(days < 7) | ((days >= 30) & (days < 37))]
    weekly = walk_forward(short, ["2017/18"], QUICK, refit="weekly", names=("no_odds",))
    assert sorted(weekly["match_id"]) == sorted(short.loc[short["season"] == "2017/18", "match_id"])
    assert weekly["learned_until"].nunique() >= 2


def test_scores_are_on_the_matches_all_forecasts_cover_and_pairs_on_those_that_both_do(
    predictions: pd.DataFrame,
) -> None:
    holes = predictions.copy()
    holes.loc[holes.index[:5], probability_columns("market_closing")] = np.nan
    holes.loc[holes.index[3:50], probability_columns("market_prematch")] = np.nan
    found = evaluate(holes, seed=1)
    n = len(predictions)
    assert found["matches"] == n - 50
    assert {scores["n"] for scores in found["forecasts"].values()} == {n - 50}
    assert {name: pair["n"] for name, pair in found["paired"].items()} == {
        "elo - base_rates": n, "no_odds - market_prematch": n - 47, "no_odds - elo": n,
        "with_odds - market_prematch": n - 47, "with_odds - market_closing": n - 5, "with_odds - no_odds": n,
        "market_closing - market_prematch": n - 50, "last_price - market_closing": n - 5,
        "last_price - market_closing_pinnacle": n,
    }  # fmt: skip
    assert set(found["forecasts"]) == set(ladder())
    assert all(set(scores) == SCORES for scores in found["forecasts"].values())
    rest = holes.iloc[50:]
    by_hand = score(probabilities_of(rest, "elo"), rest["outcome"].to_numpy(dtype=np.int64))
    assert found["forecasts"]["elo"]["log_loss"] == pytest.approx(by_hand.log_loss)


def test_paired_differences_and_the_closed_gap_fit_the_scores(predictions: pd.DataFrame) -> None:
    found = evaluate(predictions, seed=1)
    loss = {name: scores["log_loss"] for name, scores in found["forecasts"].items()}
    for pair, difference in found["paired"].items():
        first, second = pair.split(" - ")
        assert difference["log_loss"]["difference"] == pytest.approx(loss[first] - loss[second])
        assert (
            difference["log_loss"]["low"]
            <= difference["log_loss"]["difference"]
            <= difference["log_loss"]["high"]
        )
    gap = loss["market_prematch"] - loss["market_closing"]
    assert found["gap_closed"] == pytest.approx((loss["market_prematch"] - loss["with_odds"]) / gap)


def test_no_share_is_given_of_a_gap_that_may_be_none(predictions: pd.DataFrame) -> None:
    closing, early = (probability_columns(name) for name in ("market_closing", "market_prematch"))
    p, at = predictions[early].to_numpy(), np.arange(len(predictions))
    outcome, other = predictions["outcome"].to_numpy(), (predictions["outcome"].to_numpy() + 1) % 3
    # The close differs by chance alone, and is better by a hair in the mean.
    gain = np.random.default_rng(1).normal(0, 1e-3, len(p))
    moved = (gain - gain.mean() + 1e-5) * p[at, outcome]
    p[at, outcome] += moved
    p[at, other] -= moved
    shifted = predictions.copy()
    shifted[closing] = p
    scores = evaluate(shifted, seed=1)["forecasts"]
    assert scores["market_closing"]["log_loss"] < scores["market_prematch"]["log_loss"]
    assert evaluate(shifted, seed=1)["gap_closed"] is None


def test_seasons_add_up_to_the_whole(predictions: pd.DataFrame) -> None:
    found = evaluate(predictions, seed=1)
    parts = found["seasons"].values()
    assert sum(part["matches"] for part in parts) == found["matches"]
    total = sum(part["matches"] * part["forecasts"]["no_odds"]["log_loss"] for part in parts)
    assert total / found["matches"] == pytest.approx(found["forecasts"]["no_odds"]["log_loss"])


def test_a_reference_that_hardly_exists_is_left_out_and_named(predictions: pd.DataFrame) -> None:
    few = predictions.copy()
    few.loc[few.index[10:], probability_columns("market_closing_pinnacle")] = np.nan
    found = evaluate(few, seed=1)
    assert found["left_out"] == ["market_closing_pinnacle"]
    assert found["matches"] == len(predictions)
    assert found["coverage"]["market_closing_pinnacle"] == pytest.approx(10 / len(predictions))


def test_a_reference_that_stops_takes_no_match_out_of_the_other_figures(predictions: pd.DataFrame) -> None:
    stops = predictions.copy()
    last_fifth = stops["kickoff_at"] > stops["kickoff_at"].quantile(0.8)
    stops.loc[last_fifth, probability_columns("market_closing_pinnacle")] = np.nan
    found, whole = evaluate(stops, seed=1), evaluate(predictions, seed=1)
    assert found["left_out"] == ["market_closing_pinnacle"]
    assert found["matches"] == len(predictions)
    pair = "last_price - market_closing_pinnacle"
    assert found["paired"].pop(pair) == evaluate(stops[~last_fifth], seed=1)["paired"][pair]
    del whole["paired"][pair], whole["forecasts"]["market_closing_pinnacle"]
    for part in ("forecasts", "paired", "gap_closed"):
        assert found[part] == whole[part]


def test_a_world_without_prices_is_evaluated_without_the_market(matches: pd.DataFrame) -> None:
    found = evaluate(walk_forward(without_prices(matches), ["2018/19"], QUICK), seed=1)
    assert set(found["left_out"]) == {"market_prematch", "market_closing", "market_closing_pinnacle"}
    assert found["gap_closed"] is None
    assert found["forecasts"]["with_odds"] == found["forecasts"]["no_odds"]


def test_backtest_scores_what_was_asked_for(matches: pd.DataFrame) -> None:
    request = BacktestRequest(("E0",), date(2017, 10, 1), date(2018, 12, 31))
    found = backtest(matches, request, QUICK)
    day = matches["kickoff_at"].dt.date
    asked = matches[
        (matches["competition"] == "E0") & (day >= date(2017, 10, 1)) & (day <= date(2018, 12, 31))
    ]
    assert found["matches"] == found["matches_played"] == len(asked)
    assert found["competitions"] == ["E0"]
    assert set(found["seasons"]) == {"2017/18", "2018/19"}


@pytest.mark.nightly  # By day: tests/unit/test_report_document.py.
@pytest.mark.slow
def test_backtest_writes_its_report(matches: pd.DataFrame, tmp_path: Path) -> None:
    request = BacktestRequest(("E0",), date(2018, 8, 1), date(2019, 6, 30))
    found = backtest(matches, request, QUICK, report=tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text()
    assert f"{found['matches']:,} matches of 1 competition" in text
    assert [name for name in ladder() if name not in text] == []
    assert "The features that move with_odds most." in text
    assert "SIMULATED" not in text


def test_forecasts_name_what_they_learned_from_and_the_prices_of_their_match(
    matches: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    for season, part in predictions.groupby("season"):
        before = matches.loc[matches["season"] < season, "kickoff_at"]
        assert (part["learned_until"] == before.max()).all()
        assert part["learned_until"].max() < part["kickoff_at"].min()
    known = matches.set_index("match_id").loc[predictions["match_id"]]
    for source, name in BETTING_PRICES.items():
        columns = [f"{source}_{outcome}" for outcome in ("home", "draw", "away")]
        passed_on = predictions[[column.replace(source, name) for column in columns]]
        assert (passed_on.to_numpy() == known[columns].to_numpy()).all()


@pytest.mark.parametrize(
    "request_",
    [
        BacktestRequest(("ZZ",), date(2017, 8, 1), date(2018, 6, 30)),
        BacktestRequest((), date(1980, 8, 1), date(1981, 6, 30)),
        BacktestRequest((), date(2015, 8, 1), date(2016, 6, 30)),
    ],
)
def test_a_backtest_of_nothing_says_why(matches: pd.DataFrame, request_: BacktestRequest) -> None:
    with pytest.raises(BacktestImpossible):
        backtest(matches, request_, QUICK)


def test_better_informed_forecasts_score_better(predictions: pd.DataFrame) -> None:
    """The ladder of the simulated world: closing prices see the truth best, base rates not at all."""
    outcomes = predictions["outcome"].to_numpy(dtype=np.int64)
    loss = {name: log_loss(probabilities_of(predictions, name), outcomes).mean() for name in ladder()}
    assert loss["market_closing_pinnacle"] < loss["no_odds"] < loss["base_rates"]


def test_a_changed_folder_or_end_gets_a_database_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "2223").mkdir()
    file = tmp_path / "2223" / "E0.csv"
    file.write_text("Div\n")
    settings = Settings(home=tmp_path / "home", source=str(tmp_path))
    request = BacktestRequest((), date(2019, 8, 1), date(2023, 6, 30))
    first = backtest_settings(settings, request)
    assert first.warehouse_database == backtest_settings(settings, request).warehouse_database
    assert first.as_of is not None
    assert first.as_of.isoformat() == "2023-07-01T00:00:00+00:00"
    earlier = BacktestRequest((), date(2019, 8, 1), date(2022, 6, 30))
    file.write_text("Div,Date\n")
    names = {
        first.warehouse_database,
        backtest_settings(settings, request).warehouse_database,
        backtest_settings(settings, earlier).warehouse_database,
    }
    assert len(names) == 3
