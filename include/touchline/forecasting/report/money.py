"""Money: the results of a forecast's bets, with intervals, and a plain sentence about what they prove."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import Resamples, resample_matchdays
from touchline.forecasting.report.bets import (
    Prices,
    Staking,
    daily_profit,
    drawdown,
    flat_stakes,
    kelly_stakes,
    longest_losing_run,
    prices_for,
    relative_drawdown,
    value_bets,
)
from touchline.forecasting.report.frame import forecasts_in, is_at_the_close, matchdays
from touchline.forecasting.report.intervals import TAILS, Estimate, mean_where, ratio
from touchline.forecasting.report.wording import percent, signed_percent

Plan = Literal["flat", "kelly"]
PLANS: tuple[Plan, ...] = ("flat", "kelly")
# With fewer bets or days than this, an interval means nothing.
FEWEST_BETS = 30
FEWEST_DAYS = 10
THRESHOLDS = (0.0, 0.02, 0.05, 0.1)


@dataclass(frozen=True)
class Money:
    """One forecast, bet one way at one kind of price.

    `turnover` and `profit` in units; `returned` is profit over turnover (the yield) with a 95 % interval over
    matchdays, None with too few bets. `overround` is the mean of the books that were bet in. `closing_value` is the
    mean of log(price / fair closing price) of the `n_closing` bets with a closing price, `beat_close` the share of
    them above zero, `closing_return` what a unit on each would return if the fair closing price were right.
    `drawdown` is in units for flat stakes, a share of the peak for Kelly stakes. `final` is the
    Kelly bankroll at the end. `balance` is the running bankroll (flat: the running profit) by day.
    """

    forecast: str
    prices: Prices
    plan: Plan
    n_bets: int
    n_days: int
    turnover: float
    profit: float
    returned: Estimate | None
    overround: float
    n_closing: int
    closing_value: Estimate | None
    closing_return: float
    beat_close: float
    drawdown: float
    losing_run: int
    final: Estimate | None
    balance: pd.Series[float]


def all_money(predictions: pd.DataFrame, seed: int) -> list[Money]:
    """Every forecast, flat and Kelly, at the best and the consensus price of its time, even if it found no bet.

    Raises ForecastInSample for forecasts that are not proved to be out of sample.
    """
    calendar = resample_matchdays(matchdays(predictions), seed)
    return [
        money(predictions, name, prices, plan, Staking(), calendar)
        for name in forecasts_in(predictions)
        for prices in prices_for(name)
        for plan in PLANS
    ]


def by_threshold(predictions: pd.DataFrame, forecast: str, seed: int) -> Iterator[tuple[float, Money]]:
    """Flat stakes at the best price of the forecast's time, for each of `THRESHOLDS`."""
    calendar = resample_matchdays(matchdays(predictions), seed)
    for threshold in THRESHOLDS:
        staking = replace(Staking(), threshold=threshold)
        yield threshold, money(predictions, forecast, prices_for(forecast)[0], "flat", staking, calendar)


def money(
    predictions: pd.DataFrame,
    forecast: str,
    prices: Prices,
    plan: Plan,
    staking: Staking,
    calendar: Resamples,
) -> Money:
    """Bet a forecast through a frame of `walk_forward`; `calendar` are draws of the matchdays of all its rows.

    Raises ForecastInSample as `value_bets`.
    """
    bets = value_bets(predictions, forecast, prices, staking)
    staked = flat_stakes(bets) if plan == "flat" else kelly_stakes(bets, staking)
    daily = daily_profit(staked)
    start = 0.0 if plan == "flat" else staking.bankroll
    balance = start + daily.cumsum()
    path = np.concatenate([[start], balance.to_numpy(dtype=np.float64)])
    days = np.unique(matchdays(predictions))
    resamples = Resamples(np.searchsorted(days, staked["day"].to_numpy()), calendar.draws)
    is_enough = len(staked) >= FEWEST_BETS and len(daily) >= FEWEST_DAYS
    closed = staked["fair_close"].notna().to_numpy()
    edge = (_floats(staked, "price") / _floats(staked, "fair_close"))[closed]
    return Money(
        forecast, prices, plan,
        n_bets=len(staked),
        n_days=len(daily),
        turnover=float(staked["stake"].sum()),
        profit=float(staked["profit"].sum()),
        returned=_returned(staked, resamples) if is_enough else None,
        overround=float(staked["overround"].mean()) if len(staked) else float("nan"),
        n_closing=len(edge),
        closing_value=_closing_value(staked, resamples) if is_enough and len(edge) >= FEWEST_BETS else None,
        closing_return=float(edge.mean() - 1) if len(edge) else float("nan"),
        beat_close=float((edge > 1).mean()) if len(edge) else float("nan"),
        drawdown=drawdown(path) if plan == "flat" else relative_drawdown(path),
        losing_run=longest_losing_run(staked["won"].to_numpy(dtype=np.bool_)),
        final=_final(staked, staking, resamples) if is_enough and plan == "kelly" else None,
        balance=balance,
    )  # fmt: skip


def truth(found: Money) -> str:
    """One honest sentence about what the bets prove."""
    who = f"{found.forecast}, {found.plan} stakes at the {found.prices.label}"
    if found.n_bets == 0:
        return f"{who}: no bet was worth placing."
    if found.returned is None:
        return f"{who}: {_count(found)}, too few to say anything."
    made = found.returned
    said = (
        f"{who}: {_count(found)} returned {signed_percent(made.value)} of what was staked, "
        f"95 % interval {signed_percent(made.low)} to {signed_percent(made.high)}."
    )
    if made.low > 0:
        return f"{said} Zero is outside: a profit, on the matches of this backtest.{_by_the_close(found)}"
    if made.high < 0:
        return f"{said} Zero is outside: a loss."
    half = (made.high - made.low) / 2
    return (
        f"{said} Zero is inside: this proves neither profit nor loss; with so many bets only a return "
        f"beyond about {percent(half)} would show."
    )


def _by_the_close(found: Money) -> str:
    """Compare a profit with the bets' worth at the close: the rest was luck, or the close was wrong."""
    if found.closing_value is None or found.plan == "kelly" or is_at_the_close(found.forecast):
        return ""
    worth = signed_percent(found.closing_return)
    return f" Judged by the closing price the same bets were worth {worth}; the rest may be luck."


def _count(found: Money) -> str:
    return f"{found.n_bets:,} bets on {found.n_days:,} matchdays"


def _returned(staked: pd.DataFrame, resamples: Resamples) -> Estimate:
    return ratio(_floats(staked, "profit"), _floats(staked, "stake"), resamples)


def _closing_value(staked: pd.DataFrame, resamples: Resamples) -> Estimate:
    price, fair = _floats(staked, "price"), _floats(staked, "fair_close")
    value = np.log(price / fair)
    return mean_where(np.nan_to_num(value), np.isfinite(value), resamples)


def _final(staked: pd.DataFrame, staking: Staking, resamples: Resamples) -> Estimate:
    """The bankroll for resampled matchdays: growth is a product, so its logarithm is a sum."""
    gains = staked["share"] * (staked["won"].astype("float64") * staked["price"] - 1.0)
    a_day = np.bincount(resamples.day, gains.to_numpy(dtype=np.float64), resamples.draws.shape[1])
    growth = np.log1p(a_day)
    low, high = staking.bankroll * np.exp(np.quantile(resamples.draws @ growth, TAILS))
    return Estimate(float(staking.bankroll * np.exp(growth.sum())), float(low), float(high))


def _floats(staked: pd.DataFrame, name: str) -> Floats:
    return staked[name].to_numpy(dtype=np.float64)
