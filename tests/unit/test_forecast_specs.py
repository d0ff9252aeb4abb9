"""One table of forecasts: adding one entry is all it takes to be fitted, compared, reported and published."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from touchline.forecasting import specs
from touchline.forecasting.baselines import SingleRating
from touchline.forecasting.design import ModelInput
from touchline.forecasting.evaluation import evaluate
from touchline.forecasting.forecaster import fit_forecaster
from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import log_loss
from touchline.forecasting.report.frame import compare, is_at_the_close
from touchline.forecasting.report.plots import colour_of
from touchline.forecasting.report.skill import gap_to_closing
from touchline.forecasting.specs import (
    BASE_RATES,
    ELO,
    MARKET,
    NO_ODDS,
    SPECS,
    WITH_ODDS,
    ForecasterParameters,
    ForecastSpec,
    fitted,
    fitters,
    ladder,
    nightly,
    pairs,
    primary_candidates,
)
from touchline.forecasting.walk_forward import probabilities_of, walk_forward
from training_frames import QUICK, simulated_matches


@dataclass(frozen=True)
class TwoRatings:
    """The mean of what Elo and pi say."""

    ratings: tuple[SingleRating, SingleRating]

    @classmethod
    def fit(cls, matches: ModelInput, _: ForecasterParameters) -> TwoRatings:
        return cls((SingleRating.fit(matches, "elo"), SingleRating.fit(matches, "pi")))

    def probabilities(self, matches: ModelInput) -> Floats:
        return np.asarray(np.mean([each.probabilities(matches) for each in self.ratings], axis=0))


ADDED = ForecastSpec(
    "two_ratings", TwoRatings.fit, is_calibrated=True, by_season=True, compared_with=(ELO,), colour="#123456"
)


@pytest.fixture(scope="module")
def matches() -> pd.DataFrame:
    return simulated_matches(n_seasons=3, n_a_season=250)


def with_added(monkeypatch: pytest.MonkeyPatch, spec: ForecastSpec = ADDED) -> None:
    """The table with one more forecast, above Elo."""
    place = [each.name for each in SPECS].index(ELO) + 1
    monkeypatch.setattr(specs, "SPECS", (*SPECS[:place], spec, *SPECS[place:]))


def test_an_added_forecast_is_fitted_compared_and_on_the_ladder_of_the_report(
    matches: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = (BASE_RATES, ELO, MARKET)
    before = walk_forward(matches, ["2017/18"], QUICK, names=others)
    with_added(monkeypatch)
    assert ADDED.name in fitted()
    predictions = walk_forward(matches, ["2017/18"], QUICK, names=(*others, ADDED.name))
    pd.testing.assert_frame_equal(predictions[before.columns], before, check_exact=True)
    found = evaluate(predictions, QUICK.seed)
    assert list(found["forecasts"])[:3] == [BASE_RATES, ELO, ADDED.name]
    outcomes = predictions["outcome"].to_numpy(dtype=np.int64)
    losses = [log_loss(probabilities_of(predictions, name), outcomes).mean() for name in (ADDED.name, ELO)]
    difference = found["paired"][f"{ADDED.name} - {ELO}"]["log_loss"]["difference"]
    assert difference == pytest.approx(losses[0] - losses[1])
    compared = compare(predictions, QUICK.seed)
    assert ADDED.name in compared.rivals
    assert ADDED.name in {each.forecast for each in gap_to_closing(compared)}
    assert colour_of(ADDED.name, compared.names) == "#123456"


def test_an_added_forecast_at_the_close_does_not_close_the_gap_to_it(
    matches: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_added(monkeypatch, replace(ADDED, at_close=True))
    predictions = walk_forward(matches, ["2017/18"], QUICK, names=(ELO, MARKET, ADDED.name))
    gaps = {each.forecast for each in gap_to_closing(compare(predictions, QUICK.seed))}
    assert ELO in gaps
    assert ADDED.name not in gaps


def test_an_added_nightly_forecast_is_calibrated_and_may_be_published(
    matches: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_added(monkeypatch, replace(ADDED, nightly=0, may_be_primary=True))
    assert nightly()[0] == primary_candidates()[0] == ADDED.name
    forecaster = fit_forecaster(matches[matches["season"] < "2017/18"], QUICK)
    assert forecaster.names[0] == ADDED.name
    assert ADDED.name in forecaster.calibrators
    assert forecaster.primary in primary_candidates()
    forecast = forecaster.predict(matches[matches["season"] == "2017/18"])[ADDED.name]
    assert forecast.grid.sum(axis=(1, 2)) == pytest.approx(np.ones(250))


def test_every_name_in_the_table_is_known_to_the_table() -> None:
    names = {name for spec in SPECS for name in (spec.name, spec.ladder_name)}
    assert len(set(ladder())) == len({spec.name for spec in SPECS}) == len(SPECS)
    assert {name for pair in pairs() for name in pair} <= set(ladder())
    assert {spec.stand_in for spec in SPECS if spec.stand_in is not None} <= names
    assert all((spec.fit is None) != (spec.closing_prices is None) for spec in SPECS)


def test_what_is_published_knows_no_closing_price() -> None:
    """Closing prices come with kick-off, so what is made from them can only be backtested."""
    places = [spec.nightly for spec in SPECS if spec.nightly is not None]
    assert len(set(places)) == len(places)
    assert not any(is_at_the_close(name) for name in nightly())
    assert set(primary_candidates()) <= set(nightly()) <= set(fitted())
    assert primary_candidates()[:2] == (WITH_ODDS, NO_ODDS)


def test_what_is_not_fitted_has_no_fitter() -> None:
    with pytest.raises(KeyError, match="market_closing"):
        fitters(QUICK, ["market_closing"])
