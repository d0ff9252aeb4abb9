"""Walk-forward: each season is forecast by models that saw only matches played before it began."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from touchline.forecasting.baselines import BaseRates
from touchline.forecasting.forecaster import (
    ELO,
    MARKET,
    NO_ODDS,
    WITH_ODDS,
    ForecasterParameters,
    fit_forecaster,
)
from touchline.forecasting.logistic import Floats
from touchline.forecasting.market import remove_overround
from touchline.forecasting.metrics import OUTCOMES

BASE_RATES = "base_rates"
MARKET_PREMATCH, MARKET_CLOSING = "market_prematch", "market_closing"
MARKET_CLOSING_PINNACLE = "market_closing_pinnacle"
# From the worst to the best known, so that tables read as a ladder.
FORECASTS = (
    BASE_RATES, ELO, NO_ODDS, MARKET_PREMATCH, WITH_ODDS, MARKET_CLOSING, MARKET_CLOSING_PINNACLE,
)  # fmt: skip
IDENTITY = ["match_id", "competition", "season", "kickoff_at", "home_team", "away_team", "outcome"]
# Prices a bettor could have had, by their prefix in a training frame and the one they are passed on under.
BETTING_PRICES = {
    "market_price": "price", "best_price": "best_price",
    "closing_price": "closing_price", "best_closing_price": "best_closing_price",
}  # fmt: skip

# Called with the season that is done, how many are done, and how many there are.
SeasonDone = Callable[[str, int, int], None]


def walk_forward(
    matches: pd.DataFrame,
    seasons: Sequence[str],
    parameters: ForecasterParameters,
    on_season: SeasonDone | None = None,
) -> pd.DataFrame:
    """Forecast each of `seasons` by models fitted on what had kicked off before the season's first match.

    `matches` is a training frame (played matches in time order); features already know only what was observed
    before each kick-off, so ratings and form move on through the season while the models stand still.
    Returns one row a match with `IDENTITY`, learned_until (the last kick-off that was learned from), the prices
    of `BETTING_PRICES` (<prefix>_<outcome>, NaN where there is none), and p_<forecast>_<outcome> for every name in
    `FORECASTS`, NaN where a forecast cannot say. A season before which nothing was played is left out.
    """
    parts = []
    for done, season in enumerate(sorted(seasons), start=1):
        tested = matches[matches["season"] == season]
        known = matches[matches["kickoff_at"] < tested["kickoff_at"].min()]
        if not known.empty:
            parts.append(_forecast_season(known, tested, parameters))
        if on_season is not None:
            on_season(season, done, len(seasons))
    if not parts:
        raise ValueError(f"no match was played before {min(seasons)}: nothing to learn from")
    return pd.concat(parts, ignore_index=True)


def probabilities_of(predictions: pd.DataFrame, forecast: str) -> Floats:
    """The (n, 3) probabilities of one forecast in a frame of `walk_forward`."""
    return predictions[probability_columns(forecast)].to_numpy(dtype=np.float64)


def _forecast_season(
    known: pd.DataFrame, tested: pd.DataFrame, parameters: ForecasterParameters
) -> pd.DataFrame:
    found = fit_forecaster(known, parameters).probabilities(tested)
    # Where no training match had a price there is nothing but no_odds to fall back to.
    found.setdefault(WITH_ODDS, found[NO_ODDS])
    found[BASE_RATES] = BaseRates.fit(known).probabilities(tested)
    found[MARKET_PREMATCH] = found.pop(MARKET, np.full((len(tested), len(OUTCOMES)), np.nan))
    for name, prices in ((MARKET_CLOSING, "closing_price"), (MARKET_CLOSING_PINNACLE, "closing_pinnacle")):
        closing = tested[[f"{prices}_{outcome}" for outcome in OUTCOMES]].astype("float64")
        found[name] = remove_overround(closing, parameters.overround)
    columns = {
        column: found[name][:, k] for name in FORECASTS for k, column in enumerate(probability_columns(name))
    }
    told = tested[IDENTITY].assign(learned_until=known["kickoff_at"].max()).join(_prices(tested))
    return pd.concat([told.reset_index(drop=True), pd.DataFrame(columns)], axis=1)


def _prices(tested: pd.DataFrame) -> pd.DataFrame:
    names = {
        f"{source}_{outcome}": f"{name}_{outcome}"
        for source, name in BETTING_PRICES.items()
        for outcome in OUTCOMES
    }
    return tested.reindex(columns=list(names)).astype("float64").rename(columns=names)


def probability_columns(forecast: str) -> list[str]:
    """Names of the three columns of a forecast in a frame of `walk_forward`."""
    return [f"p_{forecast}_{outcome}" for outcome in OUTCOMES]
