"""Scores of the backtest's report: skill, gap, calibration and slices, on matches whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from report_frames import simulated_predictions, with_forecast
from touchline.forecasting.logistic import softmax
from touchline.forecasting.metrics import log_loss
from touchline.forecasting.report.calibration import (
    calibration_at_large,
    calibration_cells,
    pooled_cells,
)
from touchline.forecasting.report.frame import Compared, compare, forecasts_in
from touchline.forecasting.report.skill import EVERYTHING, gap_to_closing, skill_by
from touchline.forecasting.report.slices import slice_results, slices_of
from touchline.forecasting.walk_forward import probabilities_of, probability_columns


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    return simulated_predictions()


@pytest.fixture(scope="module")
def compared(predictions: pd.DataFrame) -> Compared:
    return compare(predictions, seed=1)


def test_forecasts_are_read_from_the_columns(predictions: pd.DataFrame) -> None:
    frame = with_forecast(predictions.copy(), "my_own_home", probabilities_of(predictions, "elo"))
    assert forecasts_in(frame)[-1] == "my_own_home"
    assert "price" not in forecasts_in(frame)
    half = frame.drop(columns="p_my_own_home_draw")
    assert "my_own_home" not in forecasts_in(half)


def test_forecasts_stand_in_order_of_their_log_loss(compared: Compared) -> None:
    loss = [log_loss(compared.probabilities(name), compared.outcomes).mean() for name in compared.names]
    assert loss == sorted(loss, reverse=True)
    assert compared.names[0] == "base_rates"
    assert compared.names[-1] == "truth"
    assert compared.reference == "market_prematch"


def test_figures_are_on_common_matches_and_a_rare_forecast_is_left_out(predictions: pd.DataFrame) -> None:
    holes = predictions.copy()
    holes.loc[holes.index[:100], probability_columns("market_prematch")] = np.nan
    holes.loc[holes.index[10:], probability_columns("elo")] = np.nan
    found = compare(holes, seed=1)
    assert len(found.matches) == len(predictions) - 100
    assert found.left_out == {"elo": 10 / len(predictions)}
    assert "elo" not in found.names


def test_a_close_that_stops_shrinks_the_gap_alone(predictions: pd.DataFrame) -> None:
    stops = predictions.copy()
    stops.loc[stops.index[::5], probability_columns("market_closing")] = np.nan
    found = compare(stops, seed=1)
    assert set(found.left_out) == {"market_closing"}
    assert len(found.matches) == len(predictions)
    assert gap_to_closing(found) == []
    with_close = compare(stops, seed=1, needed=["market_closing"])
    n_closed = np.isfinite(stops["p_market_closing_home"]).sum()
    assert {each.n for each in gap_to_closing(with_close) if each.group == EVERYTHING} == {n_closed}


def test_forecasts_without_a_match_in_common_are_an_error(predictions: pd.DataFrame) -> None:
    apart = predictions.copy()
    apart.loc[apart.index[::2], probability_columns("elo")] = np.nan
    apart.loc[apart.index[1::2], probability_columns("no_odds")] = np.nan
    with pytest.raises(ValueError, match="none in common"):
        compare(apart, seed=1)


def test_skill_is_the_mean_of_what_is_saved_and_groups_add_up(compared: Compared) -> None:
    found = [each for each in skill_by(compared, "season") if each.forecast == "truth"]
    *seasons, everything = found
    assert everything.group == EVERYTHING
    assert sum(each.n for each in seasons) == everything.n == len(compared.matches)
    saved = log_loss(compared.probabilities("market_prematch"), compared.outcomes) - log_loss(
        compared.probabilities("truth"), compared.outcomes
    )
    assert everything.saved.value == pytest.approx(saved.mean())
    assert everything.saved.low < everything.saved.value < everything.saved.high
    assert everything.saved.low > 0
    assert sum(each.n * each.saved.value for each in seasons) / everything.n == pytest.approx(saved.mean())


def test_the_gap_is_closed_by_the_close_and_not_by_the_pre_match_price(predictions: pd.DataFrame) -> None:
    copies = predictions.copy()
    with_forecast(copies, "early", probabilities_of(copies, "market_prematch"))
    with_forecast(copies, "late", probabilities_of(copies, "market_closing"))
    shares = {
        each.forecast: each.share
        for each in gap_to_closing(compare(copies, seed=1))
        if each.group == EVERYTHING and each.share is not None
    }
    assert (shares["early"].value, shares["early"].high) == pytest.approx((0, 0))
    assert (shares["late"].low, shares["late"].value) == pytest.approx((1, 1))
    assert 0 < shares["with_odds"].value < 1
    assert not {"last_price", "market_closing", "market_prematch"} & set(shares)


def test_a_share_of_no_gap_is_not_given(predictions: pd.DataFrame) -> None:
    same = with_forecast(
        predictions.copy(), "market_closing", probabilities_of(predictions, "market_prematch")
    )
    assert {each.share for each in gap_to_closing(compare(same, seed=1))} == {None}
    alone = predictions.drop(columns=probability_columns("market_closing"))
    assert gap_to_closing(compare(alone, seed=1)) == []


def test_true_probabilities_stay_within_the_bands_about_as_often_as_they_should(compared: Compared) -> None:
    cells = calibration_cells(compared.probabilities("truth"), compared.outcomes)
    assert {cell.outcome for cell in cells} == {"home", "draw", "away"}
    assert np.mean([cell.is_within for cell in cells]) > 0.8
    assert sum(cell.n for cell in cells) <= 3 * len(compared.matches)
    by_hand = compared.probabilities("truth")[:, 0]
    chosen = (by_hand >= 0.5) & (by_hand < 0.55)
    cell = next(each for each in cells if each.outcome == "home" and each.bin_low == 0.5)
    assert (cell.n, cell.share) == (chosen.sum(), (compared.outcomes == 0)[chosen].mean())


def test_overconfidence_and_a_bias_leave_the_bands(compared: Compared) -> None:
    bold = softmax(2 * np.log(compared.probabilities("truth")))
    assert np.mean([cell.is_within for cell in pooled_cells(bold, compared.outcomes)]) < 0.5
    homely = softmax(np.log(compared.probabilities("truth")) + np.array([0.3, 0.0, 0.0]))
    home, _, away = calibration_at_large(homely, compared.outcomes)
    assert not home.is_within
    assert home.share < home.forecast
    assert away.share > away.forecast


def test_a_planted_weakness_is_found_and_stands(predictions: pd.DataFrame) -> None:
    """In one competition the home side is forecast as if it were the away side."""
    weak = predictions.copy()
    p = probabilities_of(weak, "market_prematch")
    turned = np.where((weak["competition"] == "E1").to_numpy()[:, None], p[:, ::-1], p)
    found = slice_results(compare(with_forecast(weak, "mine", turned), 1), "mine", "market_prematch")
    competitions = {each.name: each for each in found if each.kind == "competition"}
    assert competitions["E1"].lost.low > 0
    assert competitions["E1"].stands
    assert competitions["E0"].lost.value == pytest.approx(0)
    assert not competitions["E0"].stands
    assert [each.lost.value for each in found] == sorted((each.lost.value for each in found), reverse=True)


def test_noise_that_is_the_same_everywhere_seldom_stands(predictions: pd.DataFrame) -> None:
    """Ten forecasts as good as the market: alone some slices look bad, together hardly any forecast has one."""
    rng = np.random.default_rng(5)
    log_p = np.log(probabilities_of(predictions, "truth"))
    truth = with_forecast(
        predictions.copy(), "market_prematch", softmax(log_p + rng.normal(0, 0.1, log_p.shape))
    )
    alone = together = 0
    for _ in range(10):
        mine = softmax(log_p + rng.normal(0, 0.1, log_p.shape))
        found = slice_results(compare(with_forecast(truth, "mine", mine), 1), "mine", "market_prematch")
        alone += any(each.lost.excludes_zero for each in found)
        together += any(each.stands for each in found)
    assert alone > 5
    assert together < 3


def test_the_interval_for_all_slices_is_the_wider_one(compared: Compared) -> None:
    for each in slice_results(compared, "with_odds", "market_prematch"):
        assert each.together.low < each.lost.low
        assert each.lost.high < each.together.high


def test_slices_know_newcomers_and_first_matches() -> None:
    frame = simulated_predictions(seed=2)
    late = frame["season"] == "2019/20"
    frame.loc[late & (frame["home_team"] == "home 3"), "home_team"] = "promoted"
    found = slices_of(compare(frame, seed=1))
    new = found["sides", "a side new to the competition"]
    assert (frame.loc[new, "home_team"] == "promoted").all()
    assert new.sum() == (frame["home_team"] == "promoted").sum()
    # Of the first season nobody knows who is new.
    assert found["sides", "both sides known"].sum() + new.sum() == late.sum()
    early = found["time of the season", "first 5 matches of a side"]
    played: dict[tuple[str, str, str], int] = {}
    for k, row in enumerate(frame.itertuples()):
        sides = [(row.competition, row.season, side) for side in (row.home_team, row.away_team)]
        assert early[k] == (min(played.get(side, 0) for side in sides) < 5)
        played.update({side: played.get(side, 0) + 1 for side in sides})


def test_small_slices_are_not_looked_at(predictions: pd.DataFrame) -> None:
    few = predictions.copy()
    few.loc[few.index[:99], "competition"] = "D1"
    names = {name for kind, name in slices_of(compare(few, seed=1)) if kind == "competition"}
    assert names == {"E0", "E1"}
