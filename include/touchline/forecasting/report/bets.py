"""Value bets and their stakes: what a bettor who trusted a forecast would have staked, at prices on offer.

A bet is one outcome of one match. Bets of a matchday (UTC date of the kick-off) are placed together, before any of
them is decided, so stakes come from the bankroll of the evening before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import OUTCOMES
from touchline.forecasting.report.frame import is_at_the_close, matchdays, require_out_of_sample
from touchline.forecasting.specs import MARKET_CLOSING, MARKET_CLOSING_PINNACLE
from touchline.forecasting.walk_forward import probabilities_of
from touchline.overround import overround


@dataclass(frozen=True)
class Prices:
    """Prices to bet at: columns <prefix>_<outcome>, and the consensus of the same time."""

    label: str
    prefix: str
    consensus: str

    def of(self, predictions: pd.DataFrame) -> Floats:
        """(n, 3), NaN where there is none."""
        return _columns(predictions, self.prefix)


BEST_PREMATCH = Prices("best pre-match price", "best_price", "price")
CONSENSUS_PREMATCH = Prices("consensus pre-match price", "price", "price")
BEST_CLOSING = Prices("best closing price", "best_closing_price", "closing_price")
CONSENSUS_CLOSING = Prices("consensus closing price", "closing_price", "closing_price")


@dataclass(frozen=True)
class Staking:
    """When to bet, and how much.

    * `threshold`: a bet needs p * price > 1 + threshold; of several outcomes of a match the best one is taken
    * `kelly_share`: the part of the full Kelly stake that is staked
    * `largest_stake`, `largest_day`: shares of the bankroll, for one bet and for one matchday
    * `largest_lead`: a price this many times the consensus counts as a mistake that the bookmaker would void
    * `bankroll`: the Kelly bettor's on the first day, in units; a flat stake is one unit
    """

    threshold: float = 0.02
    kelly_share: float = 0.25
    largest_stake: float = 0.05
    largest_day: float = 0.25
    largest_lead: float = 1.25
    bankroll: float = 100.0


def prices_for(forecast: str) -> tuple[Prices, ...]:
    """The prices still on offer when a forecast is made; one made from closing prices can only use closing prices."""
    if is_at_the_close(forecast):
        return BEST_CLOSING, CONSENSUS_CLOSING
    return BEST_PREMATCH, CONSENSUS_PREMATCH


def value_bets(predictions: pd.DataFrame, forecast: str, prices: Prices, staking: Staking) -> pd.DataFrame:
    """At most one bet per match, in order of kick-off: the outcome with the highest expected return, if high enough.

    Columns: match_id, kickoff_at, day (UTC date), p, price, overround (of the three prices), fair_close (the closing
    price of that outcome without overround: Pinnacle's, else the consensus, NaN where there is neither), won.
    Raises ForecastInSample for forecasts that are not proved to be out of sample.
    """
    require_out_of_sample(predictions)
    p, offered = probabilities_of(predictions, forecast), prices.of(predictions)
    with np.errstate(invalid="ignore"):
        believed = offered <= staking.largest_lead * _columns(predictions, prices.consensus)
        expected = np.where(believed, p * offered, -np.inf)
    expected[np.isnan(expected)] = -np.inf
    choice = expected.argmax(axis=1)
    rows = np.flatnonzero(expected.max(axis=1) > 1 + staking.threshold)
    chosen = (rows, choice[rows])
    matches = predictions.iloc[rows]
    bets = pd.DataFrame(
        {
            "match_id": matches["match_id"].to_numpy(),
            "kickoff_at": matches["kickoff_at"].to_numpy(),
            "day": matchdays(matches),
            "p": p[chosen],
            "price": offered[chosen],
            "overround": overround(offered[rows]),
            "fair_close": _fair_close(predictions)[chosen],
            "won": matches["outcome"].to_numpy() == choice[rows],
        }
    )
    return bets.sort_values(["kickoff_at", "match_id"], ignore_index=True)


def kelly_stake(p: Floats, price: Floats) -> Floats:
    """Share of the bankroll that makes its expected logarithm largest: (p * price - 1) / (price - 1), at least 0.

    Kelly (1956), for one bet at a time that returns `price` with probability `p`.
    """
    return np.asarray(np.maximum((p * price - 1) / (price - 1), 0.0), dtype=np.float64)


def flat_stakes(bets: pd.DataFrame) -> pd.DataFrame:
    """The bets with `stake`, one unit each, and `profit`, in units."""
    won = bets["won"].to_numpy(dtype=np.float64)
    return bets.assign(stake=1.0, profit=won * bets["price"] - 1.0)


def kelly_stakes(bets: pd.DataFrame, staking: Staking) -> pd.DataFrame:
    """The bets with `share` of the bankroll before the day, `stake` and `profit` in units.

    Where the stakes of a day add up to more than `largest_day`, all of them are cut in the same proportion.
    """
    full = kelly_stake(bets["p"].to_numpy(dtype=np.float64), bets["price"].to_numpy(dtype=np.float64))
    shares = pd.Series(np.minimum(staking.kelly_share * full, staking.largest_stake), index=bets.index)
    a_day = shares.groupby(bets["day"]).transform("sum")
    shares = shares * np.minimum(1.0, staking.largest_day / a_day)
    gains = shares * (bets["won"].to_numpy(dtype=np.float64) * bets["price"] - 1.0)
    growth = 1 + gains.groupby(bets["day"]).sum()
    before = staking.bankroll * growth.cumprod() / growth
    bankroll = bets["day"].map(before).astype("float64")
    return bets.assign(share=shares, stake=shares * bankroll, profit=gains * bankroll)


def daily_profit(staked: pd.DataFrame) -> pd.Series[float]:
    """Profit of each matchday with a bet, in units, in order of time."""
    return staked.groupby("day")["profit"].sum().sort_index()


def drawdown(balances: Floats) -> float:
    """The largest fall from a peak, (highest balance so far - balance), in units."""
    return float((np.maximum.accumulate(balances) - balances).max(initial=0.0))


def relative_drawdown(balances: Floats) -> float:
    """The same as a share of the peak, for balances above zero."""
    peaks = np.maximum.accumulate(balances)
    return float(((peaks - balances) / peaks).max(initial=0.0))


def longest_losing_run(won: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """The largest number of bets lost in a row."""
    longest = run = 0
    for each in won:
        run = 0 if each else run + 1
        longest = max(longest, run)
    return longest


def _fair_close(predictions: pd.DataFrame) -> Floats:
    """(n, 3): one over the probability of the sharpest available closing market."""
    known = [
        1 / probabilities_of(predictions, name)
        for name in (MARKET_CLOSING_PINNACLE, MARKET_CLOSING)
        if f"p_{name}_{OUTCOMES[0]}" in predictions
    ]
    fair = np.full((len(predictions), len(OUTCOMES)), np.nan)
    for each in known:
        fair = np.where(np.isfinite(fair), fair, each)
    return fair


def _columns(predictions: pd.DataFrame, prefix: str) -> Floats:
    """(n, 3) prices; NaN where the frame has no such column."""
    names = [f"{prefix}_{outcome}" for outcome in OUTCOMES]
    return predictions.reindex(columns=names).to_numpy(dtype=np.float64)
