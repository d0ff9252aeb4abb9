"""Money of the backtest's report, on matches whose true probabilities are known: it neither flatters nor hides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from report_frames import simulated_predictions, with_forecast, with_prices
from touchline.errors import ForecastInSample
from touchline.forecasting.metrics import Resamples, resample_matchdays
from touchline.forecasting.report.bets import (
    BEST_PREMATCH,
    CONSENSUS_PREMATCH,
    Prices,
    Staking,
    daily_profit,
    drawdown,
    flat_stakes,
    kelly_stake,
    kelly_stakes,
    longest_losing_run,
    prices_for,
    relative_drawdown,
    value_bets,
)
from touchline.forecasting.report.frame import matchdays
from touchline.forecasting.report.intervals import Estimate, ratio
from touchline.forecasting.report.money import Money, Plan, all_money, by_threshold, money, truth
from touchline.forecasting.walk_forward import probabilities_of


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    return simulated_predictions()


def bet(
    frame: pd.DataFrame,
    forecast: str,
    prices: Prices = BEST_PREMATCH,
    plan: Plan = "flat",
    threshold: float = 0.02,
) -> Money:
    calendar = resample_matchdays(matchdays(frame), seed=1)
    return money(frame, forecast, prices, plan, Staking(threshold=threshold), calendar)


def three_bets() -> pd.DataFrame:
    """Two on the first day, one on the second; the first and the last win."""
    return pd.DataFrame(
        {
            "match_id": ["a", "b", "c"],
            "kickoff_at": pd.to_datetime(
                ["2020-01-01 15:00", "2020-01-01 17:00", "2020-01-02 15:00"], utc=True
            ),
            "day": [pd.Timestamp("2020-01-01").date()] * 2 + [pd.Timestamp("2020-01-02").date()],
            "p": [0.6, 0.6, 0.6],
            "price": [2.0, 2.0, 2.0],
            "won": [True, False, True],
        }
    )


def test_true_probabilities_at_fair_prices_neither_win_nor_lose(predictions: pd.DataFrame) -> None:
    fair = with_prices(predictions.copy(), "best_price", 1 / probabilities_of(predictions, "truth"))
    found = bet(
        with_prices(fair, "price", 1 / probabilities_of(predictions, "truth")), "truth", threshold=-0.01
    )
    assert found.n_bets == len(predictions)
    assert found.returned is not None
    assert found.returned.low < 0 < found.returned.high
    assert "proves neither profit nor loss" in truth(found)
    assert found.overround == pytest.approx(0, abs=1e-9)


def test_a_forecast_that_is_the_market_finds_no_value_in_it(predictions: pd.DataFrame) -> None:
    for threshold in (0.0, 0.02):
        found = bet(predictions, "market_prematch", CONSENSUS_PREMATCH, threshold=threshold)
        assert (found.n_bets, found.profit, found.returned) == (0, 0.0, None)
        assert truth(found).endswith("no bet was worth placing.")


def test_a_forecast_better_than_the_market_beats_the_close_and_profits(predictions: pd.DataFrame) -> None:
    found = bet(predictions, "truth")
    assert found.returned is not None
    assert found.closing_value is not None
    assert found.closing_value.low > 0
    assert found.returned.low > 0
    assert found.beat_close > 0.5
    assert "a profit, on the matches of this backtest" in truth(found)


def test_a_worse_forecast_loses_at_the_average_bookmaker_and_is_told_so(predictions: pd.DataFrame) -> None:
    """The market knows the truth and takes 12 %."""
    sharp = with_prices(predictions.copy(), "price", 1 / (1.12 * probabilities_of(predictions, "truth")))
    found = bet(sharp, "elo", CONSENSUS_PREMATCH)
    assert found.returned is not None
    assert found.returned.high < 0
    assert truth(found).endswith("Zero is outside: a loss.")
    assert found.overround == pytest.approx(0.12)


def test_kelly_stake_is_the_one_that_makes_the_bankroll_grow_fastest() -> None:
    shares = np.linspace(0, 0.999, 100_000)
    for p, price in ((0.6, 2.0), (0.3, 4.0), (0.1, 15.0), (0.4, 2.0)):
        growth = p * np.log(1 + shares * (price - 1)) + (1 - p) * np.log(1 - shares)
        assert kelly_stake(np.array([p]), np.array([price]))[0] == pytest.approx(
            shares[growth.argmax()], abs=2e-5
        )


def test_bets_of_a_day_are_staked_from_the_bankroll_of_the_evening_before() -> None:
    """Full Kelly is 0.2 of the bankroll; a quarter of it is 0.05. Two bets, one won: the day is even."""
    staked = kelly_stakes(three_bets(), Staking(largest_stake=1.0, largest_day=1.0))
    assert staked["stake"].tolist() == pytest.approx([5.0, 5.0, 5.0])
    assert staked["profit"].tolist() == pytest.approx([5.0, -5.0, 5.0])
    won_twice = kelly_stakes(three_bets().assign(won=True), Staking(largest_stake=1.0, largest_day=1.0))
    assert won_twice["stake"].tolist() == pytest.approx([5.0, 5.0, 5.5])


def test_stakes_are_capped_by_bet_and_by_day() -> None:
    staked = kelly_stakes(three_bets(), Staking(largest_stake=0.03, largest_day=0.04))
    assert staked["share"].tolist() == pytest.approx([0.02, 0.02, 0.03])


def test_kelly_and_flat_place_the_same_bets(predictions: pd.DataFrame) -> None:
    flat, kelly = (bet(predictions, "with_odds", plan=plan) for plan in ("flat", "kelly"))
    assert flat.n_bets == kelly.n_bets > 0
    assert (flat.beat_close, flat.losing_run) == (kelly.beat_close, kelly.losing_run)
    assert kelly.final is not None
    assert kelly.final.value == pytest.approx(100 + kelly.profit)
    assert kelly.final.low < kelly.final.value < kelly.final.high


def test_drawdown_is_the_longest_way_down_from_a_peak() -> None:
    assert drawdown(np.array([0.0, 3.0, 1.0, 5.0, 2.5, 4.0, 1.5, 6.0])) == 3.5
    assert drawdown(np.array([0.0, 1.0, 2.0])) == 0.0
    assert relative_drawdown(np.array([100.0, 80.0, 200.0, 150.0, 120.0, 210.0])) == pytest.approx(0.4)


def test_losing_runs_are_counted_over_days() -> None:
    assert longest_losing_run(np.array([False, True, False, False, False, True, False])) == 3
    assert longest_losing_run(np.array([True, True])) == 0


def test_the_running_profit_starts_at_nothing_so_a_first_loss_is_a_drawdown(
    predictions: pd.DataFrame,
) -> None:
    losing = predictions.assign(outcome=0)
    with_forecast(losing, "truth", np.tile([0.0, 0.05, 0.95], (len(losing), 1)))
    found = bet(losing, "truth")
    assert found.drawdown == found.n_bets == found.losing_run == -found.profit


def test_only_forecasts_made_at_the_close_bet_at_closing_prices(predictions: pd.DataFrame) -> None:
    for found in all_money(predictions.head(500), seed=1):
        is_late = found.forecast in ("last_price", "market_closing", "market_closing_pinnacle")
        assert ("closing" in found.prices.label) == is_late
    assert [each.prefix for each in prices_for("last_price_pinnacle")] == [
        "best_closing_price",
        "closing_price",
    ]


def test_a_forecast_that_may_have_learned_its_match_is_refused(predictions: pd.DataFrame) -> None:
    with pytest.raises(ForecastInSample, match="learned_until"):
        all_money(predictions.drop(columns="learned_until"), seed=1)
    seen = predictions.copy()
    seen.loc[seen.index[7], "learned_until"] = seen.loc[seen.index[7], "kickoff_at"]
    with pytest.raises(ForecastInSample, match=f"1 forecasts.*{seen.loc[seen.index[7], 'match_id']}"):
        value_bets(seen, "truth", BEST_PREMATCH, Staking())
    unknown = predictions.assign(learned_until=predictions["learned_until"].where(predictions.index > 0))
    with pytest.raises(ForecastInSample, match="1 forecasts"):
        all_money(unknown, seed=1)


def test_a_price_far_above_the_consensus_is_a_mistake_nobody_is_paid_for(predictions: pd.DataFrame) -> None:
    typo = predictions.copy()
    typo.loc[typo.index[0], "best_price_away"] = 10 * typo.loc[typo.index[0], "price_away"]
    first = typo.loc[typo.index[0], "match_id"]
    bets = value_bets(typo, "truth", BEST_PREMATCH, Staking())
    assert not (
        (bets["match_id"] == first) & (bets["price"] > 1.25 * typo.loc[typo.index[0], "price_away"])
    ).any()
    careless = value_bets(typo, "truth", BEST_PREMATCH, replace(Staking(), largest_lead=np.inf))
    assert (careless["match_id"] == first).any()


def test_a_match_without_prices_is_not_bet_on(predictions: pd.DataFrame) -> None:
    some = predictions.copy()
    some.loc[
        some.index[::2], [name for name in some if "price_" in str(name) and not str(name).startswith("p_")]
    ] = np.nan
    bets = value_bets(some, "truth", BEST_PREMATCH, Staking(threshold=-1.0))
    assert sorted(bets["match_id"]) == sorted(some["match_id"].iloc[1::2])


def test_the_profit_is_that_of_the_bets_one_by_one(predictions: pd.DataFrame) -> None:
    """A plain loop over matches as the reference."""
    p, prices = probabilities_of(predictions, "with_odds"), BEST_PREMATCH.of(predictions)
    outcomes = predictions["outcome"].to_numpy()
    n, profit = 0, 0.0
    for k in range(len(predictions)):
        chosen = max(range(3), key=lambda outcome, k=k: p[k, outcome] * prices[k, outcome])
        if p[k, chosen] * prices[k, chosen] > 1.02:
            n += 1
            profit += prices[k, chosen] - 1 if outcomes[k] == chosen else -1
    found = bet(predictions, "with_odds")
    assert (found.n_bets, found.turnover) == (n, n)
    assert found.profit == pytest.approx(profit)
    assert found.balance.iloc[-1] == pytest.approx(profit)
    staked = flat_stakes(value_bets(predictions, "with_odds", BEST_PREMATCH, Staking()))
    assert daily_profit(staked).sum() == pytest.approx(profit)


def test_an_interval_is_that_of_the_draws_one_by_one() -> None:
    rng = np.random.default_rng(1)
    days = np.repeat(np.arange(12), 3)
    profit, stake = rng.normal(0, 1, 36), rng.uniform(0.5, 2, 36)
    resamples = resample_matchdays(days, seed=3, n_resamples=200)
    drawn = []
    for draw in resamples.draws:
        weights = draw[days]
        drawn.append((weights * profit).sum() / (weights * stake).sum())
    low, high = np.quantile(drawn, [0.025, 0.975])
    found = ratio(profit, stake, resamples)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.value == pytest.approx(profit.sum() / stake.sum())


def test_days_without_a_bet_belong_to_the_calendar() -> None:
    """Bets on day 0 only: draws that lack that day say nothing, the others all say the same."""
    resamples = Resamples(np.zeros(3, dtype=np.int64), resample_matchdays(np.arange(5), seed=1).draws)
    assert ratio(np.array([1.0, -1.0, 3.0]), np.ones(3), resamples) == Estimate(1.0, 1.0, 1.0)


def test_a_higher_threshold_never_places_more_bets(predictions: pd.DataFrame) -> None:
    counts = [found.n_bets for _, found in by_threshold(predictions, "with_odds", seed=1)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_few_bets_are_called_too_few(predictions: pd.DataFrame) -> None:
    found = bet(predictions.head(20), "truth")
    assert 0 < found.n_bets < 30
    assert found.returned is None
    assert truth(found).endswith("too few to say anything.")
