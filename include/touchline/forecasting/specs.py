"""The table of forecasts: one `ForecastSpec` each, from which all lists of forecasts are derived.

The lists are computed on demand, so they always agree with `SPECS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from touchline.forecasting.baselines import BaseRates, Market, SingleRating
from touchline.forecasting.design import ModelInput
from touchline.forecasting.goals import Goals
from touchline.forecasting.last_price import LastPrice
from touchline.forecasting.logistic import Floats
from touchline.forecasting.no_odds import NoOdds, NoOddsParameters
from touchline.forecasting.residual import ResidualParameters
from touchline.forecasting.with_odds import WithOdds, WithOddsParameters
from touchline.overround import OverroundMethod

WITH_ODDS, NO_ODDS, ELO, MARKET = "with_odds", "no_odds", "elo", "market"
BASE_RATES, LAST_PRICE = "base_rates", "last_price"
MARKET_PREMATCH, MARKET_CLOSING = "market_prematch", "market_closing"
MARKET_CLOSING_PINNACLE = "market_closing_pinnacle"


class Candidate(Protocol):
    """Anything that turns features into probabilities."""

    def probabilities(self, matches: ModelInput) -> Floats:
        """(n, 3) home, draw, away; NaN rows where it cannot say."""
        ...


@dataclass(frozen=True)
class ForecasterParameters:
    """Everything besides the matches that determines the fit."""

    no_odds: NoOddsParameters = field(default_factory=NoOddsParameters)
    with_odds: WithOddsParameters = field(default_factory=WithOddsParameters)
    last_price: ResidualParameters = field(default_factory=ResidualParameters)
    overround: OverroundMethod = "power"
    seed: int = 20260801


Fit = Callable[[ModelInput, ForecasterParameters], Candidate]


@dataclass(frozen=True)
class ForecastSpec:
    """Everything that the code knows about a forecast.

    `fit` learns from played matches and raises NothingToLearn where they lack what it needs. A forecast without
    `fit` is read off `closing_prices`, the prefix of price columns in a training frame, and can only be backtested.
    `backtest_name`: its name in a backtest, where that is not `name`.
    `nightly`: rank among the forecasts that are fitted every night and written to the ledger, from 1; None for those
    that are only backtested.
    `may_be_primary`: whether a nightly forecast may be the one to publish; it must then cover every match. Of two
    equally good ones, the first by `nightly` is taken.
    `stand_in`: the forecast that is used where this one has none.
    `knows_prices`: it may take the total of goals from the market; the others must not know it.
    `is_calibrated`: it gets a calibrator. Models with many parameters do; a logistic on one rating does not need one.
    `at_close`: it is made from closing prices, so it is not available a day before.
    `is_reference`: it is not a model, but what models are compared with.
    `by_season`: `touchline backtest` prints it season by season.
    `compared_with`: the forecasts, by their names in a backtest, with which it is compared.
    `colour`: its colour in every picture; None leaves that to the picture.
    """

    name: str
    fit: Fit | None = None
    closing_prices: str | None = None
    backtest_name: str | None = None
    nightly: int | None = None
    may_be_primary: bool = False
    stand_in: str | None = None
    knows_prices: bool = False
    is_calibrated: bool = False
    at_close: bool = False
    is_reference: bool = False
    by_season: bool = False
    compared_with: tuple[str, ...] = ()
    colour: str | None = None

    @property
    def ladder_name(self) -> str:
        """Its name in a frame of `walk_forward`."""
        return self.backtest_name or self.name


# In rank order, from the worst to the best known, so that tables read as a ladder.
SPECS = (
    ForecastSpec(
        BASE_RATES, lambda matches, _: BaseRates.fit(matches),
        is_reference=True, colour="#b3a100",
    ),
    ForecastSpec(
        ELO, lambda matches, _: SingleRating.fit(matches, "elo"),
        nightly=3, may_be_primary=True, compared_with=(BASE_RATES,), colour="#e69f00",
    ),
    ForecastSpec("pi", lambda matches, _: SingleRating.fit(matches, "pi"), colour="#cc79a7"),
    ForecastSpec(
        "dixon_coles", lambda matches, given: Goals.fit(matches, "dixon_coles", given.seed), colour="#d55e00"
    ),
    ForecastSpec(
        "bivariate_poisson", lambda matches, given: Goals.fit(matches, "bivariate_poisson", given.seed)
    ),
    ForecastSpec(
        "lightgbm_goals", lambda matches, given: Goals.fit(matches, "dixon_coles", given.seed, with_trees=True),
        is_calibrated=True,
    ),
    ForecastSpec(
        NO_ODDS, lambda matches, given: NoOdds.fit(matches, given.no_odds, given.seed),
        nightly=2, may_be_primary=True, is_calibrated=True, by_season=True,
        compared_with=(MARKET_PREMATCH, ELO), colour="#009e73",
    ),
    ForecastSpec(
        MARKET, lambda matches, given: Market.fit(matches, given.overround), backtest_name=MARKET_PREMATCH,
        nightly=4, knows_prices=True, is_reference=True, by_season=True, colour="#999999",
    ),
    ForecastSpec(
        WITH_ODDS, lambda matches, given: WithOdds.fit(matches, given.with_odds, given.seed),
        nightly=1, may_be_primary=True, stand_in=NO_ODDS, knows_prices=True, is_calibrated=True, by_season=True,
        compared_with=(MARKET_PREMATCH, MARKET_CLOSING, NO_ODDS), colour="#0072b2",
    ),
    ForecastSpec(
        MARKET_CLOSING, closing_prices="closing_price",
        knows_prices=True, at_close=True, is_reference=True, by_season=True,
        compared_with=(MARKET_PREMATCH,), colour="#555555",
    ),
    ForecastSpec(
        MARKET_CLOSING_PINNACLE, closing_prices="closing_pinnacle",
        knows_prices=True, at_close=True, is_reference=True, colour="#000000",
    ),
    ForecastSpec(
        LAST_PRICE, lambda matches, given: LastPrice.fit(matches, given.last_price, given.seed),
        knows_prices=True, is_calibrated=True, at_close=True, by_season=True,
        compared_with=(MARKET_CLOSING, MARKET_CLOSING_PINNACLE), colour="#56b4e9",
    ),
)  # fmt: skip


def own_colour(name: str) -> str | None:
    """The colour of a forecast, by its name in the ledger or in a backtest; None for one that has none."""
    return next((spec.colour for spec in SPECS if name in (spec.name, spec.ladder_name)), None)


def ladder() -> tuple[str, ...]:
    """Names of all forecasts of a backtest, from the worst to the best known."""
    return tuple(spec.ladder_name for spec in SPECS)


def fitted() -> tuple[str, ...]:
    """The forecasts that a backtest fits; the others are only read off prices."""
    return tuple(spec.name for spec in SPECS if spec.fit is not None)


def nightly() -> tuple[str, ...]:
    """The forecasts that are fitted every night and written to the ledger, in order of preference."""
    return tuple(spec.name for spec in _nightly())


def primary_candidates() -> tuple[str, ...]:
    """The forecasts that may be published, in order of preference."""
    return tuple(spec.name for spec in _nightly() if spec.may_be_primary)


def evaluated() -> tuple[str, ...]:
    """The forecasts by which a training is judged: those that it registers, and their references."""
    return BASE_RATES, *nightly()


def pairs() -> tuple[tuple[str, str], ...]:
    """Pairs of forecasts that are compared, by their names in a backtest."""
    return tuple((spec.ladder_name, other) for spec in SPECS for other in spec.compared_with)


def know_prices() -> frozenset[str]:
    """The forecasts that may take the total of goals from the market."""
    return frozenset(spec.name for spec in SPECS if spec.knows_prices)


def to_calibrate() -> frozenset[str]:
    """The forecasts that get a calibrator from a rehearsal."""
    return frozenset(spec.name for spec in SPECS if spec.is_calibrated)


def stand_ins() -> dict[str, str]:
    """The stand-in of each forecast that may be missing for some matches."""
    return {spec.name: spec.stand_in for spec in SPECS if spec.stand_in is not None}


def read_off() -> dict[str, str]:
    """For each forecast that is not fitted, the prefix of the price columns it is read off."""
    return {spec.name: spec.closing_prices for spec in SPECS if spec.closing_prices is not None}


def renamed() -> dict[str, str]:
    """The name in a backtest of each forecast that has another one there."""
    return {spec.name: spec.backtest_name for spec in SPECS if spec.backtest_name is not None}


def at_close() -> tuple[str, ...]:
    """The forecasts made from closing prices."""
    return tuple(spec.ladder_name for spec in SPECS if spec.at_close)


def references() -> frozenset[str]:
    """The references that models are compared with, by all their names."""
    return frozenset(name for spec in SPECS if spec.is_reference for name in (spec.name, spec.ladder_name))


def by_season() -> tuple[str, ...]:
    """The forecasts that `touchline backtest` prints season by season."""
    return tuple(spec.ladder_name for spec in SPECS if spec.by_season)


def fitters(
    parameters: ForecasterParameters, names: Sequence[str]
) -> dict[str, Callable[[ModelInput], Candidate]]:
    """The functions that fit the forecasts `names`, in their order. Raises KeyError for one that is not fitted."""
    known = {spec.name: spec.fit for spec in SPECS if spec.fit is not None}
    return {name: partial(_fit, known[name], parameters) for name in names}


def _nightly() -> list[ForecastSpec]:
    return sorted((spec for spec in SPECS if spec.nightly is not None), key=lambda spec: spec.nightly or 0)


def _fit(fit: Fit, parameters: ForecasterParameters, matches: ModelInput) -> Candidate:
    return fit(matches, parameters)
