"""From a frame of features to the numbers the models see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from touchline.errors import FeaturesUnavailable
from touchline.features.catalogue import CONTEXT_FEATURES, FORM_FEATURES, MARKET_FEATURES, RATING_FEATURES
from touchline.forecasting.logistic import Floats
from touchline.forecasting.market import overround, remove_overround

HISTORY_FEATURES = (*RATING_FEATURES, *FORM_FEATURES, *CONTEXT_FEATURES)
PRICES = ("market_price_home", "market_price_draw", "market_price_away")
MOST_EXTREME = 4.0


def history_design(features: pd.DataFrame) -> pd.DataFrame:
    """What is known without a market: ratings, form, context, and home minus away of each pair."""
    known = numbers(features, HISTORY_FEATURES)
    return pd.concat([known, gaps(known)], axis=1)


def market_design(features: pd.DataFrame) -> pd.DataFrame:
    """Market log-probabilities and the rest of the market's view, ratings, and home minus away of each pair."""
    market = numbers(features, MARKET_FEATURES)
    p = remove_overround(market[list(PRICES)])
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = np.log(p)
    view = pd.DataFrame(
        {
            "market_log_p_home": log_p[:, 0],
            "market_log_p_draw": log_p[:, 1],
            "market_log_p_away": log_p[:, 2],
            "market_log_p_gap": log_p[:, 0] - log_p[:, 2],
            "market_overround": overround(market[list(PRICES)]),
            "market_p_over": remove_overround(market[["market_price_over", "market_price_under"]])[:, 0],
            "market_handicap_line": market["market_handicap_line"],
            "market_p_handicap": remove_overround(market[["market_handicap_home", "market_handicap_away"]])[:, 0],
            "market_n_bookmakers": market["market_n_bookmakers"],
            "market_spread": market["market_spread"],
        },
        index=features.index,
    )  # fmt: skip
    calendar = numbers(features, ("season_progress", "month"))
    return pd.concat(
        [view, calendar, numbers(features, RATING_FEATURES), gaps(numbers(features, HISTORY_FEATURES))],
        axis=1,
    )


def gaps(known: pd.DataFrame) -> pd.DataFrame:
    """Home minus away for each `home_x` that has its `away_x`, named `gap_x`."""
    names = [str(name).removeprefix("home_") for name in known if str(name).startswith("home_")]
    return pd.DataFrame({f"gap_{name}": known[f"home_{name}"] - known[f"away_{name}"] for name in names})


def numbers(features: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """The named columns as floats. Raises FeaturesUnavailable when the frame lacks some."""
    missing = [name for name in names if name not in features]
    if missing:
        raise FeaturesUnavailable(
            f"{len(missing)} features are missing, {', '.join(missing[:3])} among them: "
            "build the features with `touchline build`"
        )
    return features[list(names)].astype("float64")


@dataclass(frozen=True)
class Scale:
    """Mean and spread of each column in the training matches; unknown becomes the mean."""

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, design: pd.DataFrame) -> Scale:
        """Columns that never vary, or are never known, get spread 1 and so contribute nothing."""
        mean = design.mean().fillna(0.0).to_numpy(dtype=np.float64)
        spread = design.std().fillna(0.0).to_numpy(dtype=np.float64)
        return cls(mean, np.where(spread > 0, spread, 1.0))

    def apply(self, design: pd.DataFrame) -> Floats:
        """Standard units (n, m), cut at four, unknown as 0."""
        scaled = (design.to_numpy(dtype=np.float64) - self.mean) / self.spread
        return np.asarray(np.nan_to_num(np.clip(scaled, -MOST_EXTREME, MOST_EXTREME)), dtype=np.float64)
