"""Convert a frame of features to the numbers that the models see."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from touchline.errors import FeaturesUnavailable
from touchline.features.catalogue import (
    CONTEXT_FEATURES,
    FORM_FEATURES,
    MARKET_FEATURES,
    MARKET_HISTORY_FEATURES,
    RATING_FEATURES,
)
from touchline.forecasting.logistic import Floats, Ints
from touchline.overround import log_odds, overround, remove_overround
from touchline.ratings.strength import STRENGTHS, newcomer

PRICES = ("market_price_home", "market_price_draw", "market_price_away")
SINGLE_PRICES = ("pinnacle", "b365", "maximum")
PRICE_HOURS = "market_price_hours"
MOST_EXTREME = 4.0

# Attack, defence, level and home advantage enter only through the goals expected from them.
_STRENGTH_FEATURES = tuple(
    name
    for name in RATING_FEATURES
    if any(part in name for part in ("attack", "defence", "level", "advantage"))
)
_PLAIN_FEATURES = tuple(
    name for name in (*RATING_FEATURES, *FORM_FEATURES, *CONTEXT_FEATURES) if name not in _STRENGTH_FEATURES
)


@dataclass(frozen=True)
class Design:
    """Named columns of numbers, `values` (n, m); NaN where unknown."""

    names: tuple[str, ...]
    values: NDArray[np.float32]

    def column(self, name: str) -> Floats:
        """One of the columns (n,)."""
        return self.values[:, self.names.index(name)].astype(np.float64)

    def rows(self, places: NDArray[np.intp]) -> Design:
        """Some of the matches."""
        return Design(self.names, self.values[places])

    @staticmethod
    def of(*parts: dict[str, Floats]) -> Design:
        """Columns (n,) by name, in order."""
        columns = {name: values for part in parts for name, values in part.items()}
        return Design(tuple(columns), np.column_stack(list(columns.values())).astype(np.float32))


class ModelInput:
    """Matches as models see them: the `frame` of features (in training, with outcomes and closing prices) and designs.

    Each design is made once, on first use, and shared by subsets of the matches.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    @cached_property
    def history(self) -> Design:
        """The design of the models without a market."""
        return history_design(self.frame)

    @cached_property
    def market(self) -> Design:
        """The design of the models with a market."""
        return market_design(self.frame)

    @cached_property
    def closing(self) -> Design:
        """The market's design with closing prices added."""
        return closing_design(self.frame, self.market)

    @cached_property
    def prematch_coordinates(self) -> Floats:
        """Supremacy and draw (n, 2) of the pre-match consensus."""
        return log_odds(numbers(self.frame, PRICES))

    @cached_property
    def closing_coordinates(self) -> Floats:
        """Supremacy and draw (n, 2) of the close."""
        return closing_coordinates(self.frame)[0]

    @property
    def outcomes(self) -> Ints:
        """(n,): 0 home, 1 draw, 2 away."""
        return self.frame["outcome"].to_numpy(dtype=np.int64)

    def rows(self, places: NDArray[np.intp]) -> ModelInput:
        """Some of the matches, with the designs made so far."""
        part = ModelInput(self.frame.iloc[places])
        for name in ("history", "market", "closing"):
            if name in self.__dict__:
                part.__dict__[name] = self.__dict__[name].rows(places)
        for name in ("prematch_coordinates", "closing_coordinates"):
            if name in self.__dict__:
                part.__dict__[name] = self.__dict__[name][places]
        return part


def history_design(features: pd.DataFrame) -> Design:
    """The design without a market: strengths, ratings, form, context, and home minus away of each pair."""
    known = _plain(features)
    return Design.of(_expected_goals(features), known, _gaps(known))


def market_design(features: pd.DataFrame) -> Design:
    """The design with a market: its prices, their movements before earlier matches, and its distance to the ratings."""
    view = _market_view(features)
    history = _columns(features, MARKET_HISTORY_FEATURES)
    known = _plain(features)
    shared = {name: values for name, values in known.items() if not name.startswith(("home_", "away_"))}
    expected = _expected_goals(features)
    ahead = {
        f"strength_{speed}_ahead": 1.7 * expected[f"goals_{speed}_gap"] - view["market_supremacy"]
        for speed in STRENGTHS
    }
    at_home = (history["home_market_home_advantage"] + history["away_market_home_advantage"]) / 2
    rated = {
        f"market_rating_{speed}_ahead": at_home
        + history[f"home_market_rating_{speed}"]
        - history[f"away_market_rating_{speed}"]
        - view["market_supremacy"]
        for speed in ("slow", "medium", "fast")
    }
    moves = {
        name.removeprefix("home_"): history[name] + history[name.replace("home_", "away_", 1)]
        for name in history
        if name.startswith("home_draw_move")
    }
    totals = {name: values for name, values in expected.items() if name.endswith("_total")}
    return Design.of(view, ahead, rated, moves, totals, shared, _gaps(history), _gaps(known))


def closing_design(matches: pd.DataFrame, plain: Design) -> Design:
    """`plain` (the market's design), the closing prices, and their distances to the earlier prices and each other."""
    closing, consensus, pinnacle = closing_coordinates(matches)
    before = log_odds(numbers(matches, PRICES))
    parts = {
        "closing_supremacy": closing[:, 0],
        "closing_draw": closing[:, 1],
        "move_supremacy": closing[:, 0] - before[:, 0],
        "move_draw": closing[:, 1] - before[:, 1],
        "pinnacle_supremacy": pinnacle[:, 0] - consensus[:, 0],
        "pinnacle_draw": pinnacle[:, 1] - consensus[:, 1],
    }
    return Design((*plain.names, *parts), np.column_stack([plain.values, *parts.values()]).astype(np.float32))


def closing_coordinates(matches: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Supremacy and draw (n, 2) of the close: the mean of consensus and Pinnacle, or the available one; then each."""
    consensus, pinnacle = (
        log_odds(matches[[f"{source}_{outcome}" for outcome in ("home", "draw", "away")]].astype("float64"))
        for source in ("closing_price", "closing_pinnacle")
    )
    both = (consensus + pinnacle) / 2
    either = np.where(np.isnan(pinnacle), consensus, pinnacle)
    return np.where(np.isnan(both), either, both), consensus, pinnacle


def log_means(features: pd.DataFrame, speed: str) -> Floats:
    """Log goals expected of home and away (n, 2) by the strengths of one speed. Unknown teams count as new ones."""
    signal = STRENGTHS[speed][0]
    tier = numbers(features, ("competition_tier",)).to_numpy()[:, 0]
    side = {
        name: np.where(np.isnan(values), newcomer(name, tier), values)
        for name in (f"attack_{speed}", f"defence_{speed}", f"level_{signal}", f"home_advantage_{signal}")
        for values in [numbers(features, (f"home_{name}", f"away_{name}")).to_numpy().T]
    }
    base = side[f"level_{signal}"].mean(axis=0)
    home = base + side[f"home_advantage_{signal}"].mean(axis=0) + side[f"attack_{speed}"][0]
    away = base + side[f"attack_{speed}"][1] - side[f"defence_{speed}"][0]
    return np.column_stack([home - side[f"defence_{speed}"][1], away])


def numbers(features: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """The named columns as floats. Raises FeaturesUnavailable when the frame lacks some."""
    missing = [name for name in names if name not in features]
    if missing:
        raise FeaturesUnavailable(
            f"{len(missing)} features are missing, for example {', '.join(missing[:3])}: "
            "build the features with `touchline build`"
        )
    return features[list(names)].astype("float64")


def _columns(features: pd.DataFrame, names: tuple[str, ...]) -> dict[str, Floats]:
    found = numbers(features, names).to_numpy()
    return {name: found[:, place] for place, name in enumerate(names)}


def _plain(features: pd.DataFrame) -> dict[str, Floats]:
    """Features unchanged, except that counts of matches enter as logarithms, because each further match says less."""
    known = _columns(features, _PLAIN_FEATURES)
    for name in ("home_n_career", "away_n_career"):
        known[name] = np.log1p(np.nan_to_num(known[name]))
    known["competition_home_advantage"] = known["competition_home_goals"] - known["competition_away_goals"]
    return known


def _gaps(known: dict[str, Floats]) -> dict[str, Floats]:
    """Home minus away for each `home_x` that has its `away_x`, named `gap_x`."""
    names = [name.removeprefix("home_") for name in known if name.startswith("home_")]
    return {f"gap_{name}": known[f"home_{name}"] - known[f"away_{name}"] for name in names}


def _expected_goals(features: pd.DataFrame) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    for speed in STRENGTHS:
        home, away = log_means(features, speed).T
        found |= {
            f"goals_{speed}_home": home, f"goals_{speed}_away": away, f"goals_{speed}_gap": home - away,
            f"goals_{speed}_total": home + away,
        }  # fmt: skip
    return found


def _market_view(features: pd.DataFrame) -> dict[str, Floats]:
    market = numbers(features, MARKET_FEATURES)
    consensus = market[list(PRICES)]
    coordinates = log_odds(consensus)
    view = {
        "market_supremacy": coordinates[:, 0],
        "market_draw": coordinates[:, 1],
        "market_supremacy_size": np.abs(coordinates[:, 0]),
        "market_overround": overround(consensus),
        "market_over": _log_ratio(market[["market_price_over", "market_price_under"]]),
        "market_handicap_line": market["market_handicap_line"].to_numpy(),
        "market_handicap": _log_ratio(market[["market_handicap_home", "market_handicap_away"]]),
        "market_n_bookmakers": market["market_n_bookmakers"].to_numpy(),
        "market_spread": market["market_spread"].to_numpy(),
        PRICE_HOURS: market[PRICE_HOURS].to_numpy(),
    }
    for name in SINGLE_PRICES:
        prices = market[[f"market_{name}_{outcome}" for outcome in ("home", "draw", "away")]]
        # The highest prices can have an overround below one, which the power method would distort.
        ahead = (np.log(consensus.to_numpy()) - np.log(prices.to_numpy())) if name == "maximum" else None
        own = log_odds(prices) - coordinates if ahead is None else None
        if own is not None:
            view |= {f"{name}_supremacy_ahead": own[:, 0], f"{name}_draw_ahead": own[:, 1]}
        else:
            assert ahead is not None
            view |= {f"maximum_{outcome}": ahead[:, k] for k, outcome in enumerate(("home", "draw", "away"))}
            view["maximum_gap"] = ahead[:, 0] - ahead[:, 2]
        view[f"{name}_overround"] = overround(prices)
    return view


def _log_ratio(prices: pd.DataFrame) -> Floats:
    p = remove_overround(prices)
    return np.asarray(np.log(p[:, 0] / p[:, 1]), dtype=np.float64)


@dataclass(frozen=True)
class Scale:
    """Mean and spread of each column in the training matches; unknown becomes the mean."""

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, design: Design) -> Scale:
        """Columns that never vary, or are never known, get spread 1 and so contribute nothing."""
        known = np.isfinite(design.values)
        n = np.maximum(known.sum(axis=0), 1)
        values = np.where(known, design.values, 0).astype(np.float64)
        mean = values.sum(axis=0) / n
        spread = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(axis=0) / n)
        return cls(mean, np.where(spread > 1e-9, spread, 1.0))

    def apply(self, design: Design) -> Floats:
        """Standard units (n, m), clipped at four, with unknown values as 0."""
        scaled = (design.values - self.mean) / self.spread
        return np.clip(
            np.nan_to_num(scaled, nan=0.0, posinf=MOST_EXTREME, neginf=-MOST_EXTREME),
            -MOST_EXTREME,
            MOST_EXTREME,
        )
