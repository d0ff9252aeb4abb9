"""The forecaster: every candidate, its fallback, its calibration, and what it must not look at."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from touchline.errors import FeaturesUnavailable
from touchline.features.catalogue import FEATURES, MARKET_FEATURES, MARKET_HISTORY_FEATURES
from touchline.forecasting.baselines import SingleRating
from touchline.forecasting.design import ModelInput
from touchline.forecasting.forecaster import (
    Forecaster,
    Rehearsal,
    begin_fits,
    calibrators_by,
    ended,
    fit_forecaster,
)
from touchline.forecasting.logistic import Floats, softmax
from touchline.forecasting.metrics import log_loss
from touchline.forecasting.scoreline import match_result, total_over
from touchline.forecasting.specs import ELO, MARKET, NO_ODDS, WITH_ODDS, Candidate
from touchline.overround import remove_overround
from training_frames import QUICK, simulated_matches, without_prices


@pytest.fixture(scope="module")
def matches() -> pd.DataFrame:
    return simulated_matches()


@pytest.fixture(scope="module")
def forecaster(matches: pd.DataFrame) -> Forecaster:
    return fit_forecaster(matches, QUICK)


@pytest.fixture(scope="module")
def unseen() -> pd.DataFrame:
    return simulated_matches(n_seasons=1, n_a_season=2000, seed=2)


def test_every_forecast_is_a_distribution_with_its_grid(forecaster: Forecaster, unseen: pd.DataFrame) -> None:
    found = forecaster.predict(unseen[list(FEATURES)].head(50))
    assert set(found) == {WITH_ODDS, NO_ODDS, ELO, MARKET} == set(forecaster.names)
    for forecast in found.values():
        assert forecast.probabilities.shape == (50, 3)
        assert forecast.expected_goals.shape == (50, 2)
        assert forecast.grid.shape == (50, 11, 11)
        assert np.abs(forecast.probabilities.sum(axis=1) - 1).max() < 1e-9
        assert np.abs(match_result(forecast.grid) - forecast.probabilities).max() < 1e-9


def test_each_candidate_learnt_something(forecaster: Forecaster, unseen: pd.DataFrame) -> None:
    found = forecaster.probabilities(unseen)
    outcomes = unseen["outcome"].to_numpy(dtype=np.int64)
    loss = {name: log_loss(p, outcomes).mean() for name, p in found.items()}
    base_rates = log_loss(np.tile(np.bincount(outcomes) / len(outcomes), (len(outcomes), 1)), outcomes).mean()
    assert loss[WITH_ODDS] < loss[NO_ODDS] < base_rates
    assert loss[ELO] < base_rates
    assert loss[WITH_ODDS] < loss[MARKET] + 0.01
    assert forecaster.primary == WITH_ODDS


def test_without_a_price_with_odds_is_no_odds_and_the_market_is_silent(
    forecaster: Forecaster, unseen: pd.DataFrame
) -> None:
    mixed = unseen.head(20).copy()
    mixed.loc[mixed.index[:7], "market_price_draw"] = np.nan
    mixed.loc[mixed.index[7:9], "market_price_home"] = 1.0
    found = forecaster.probabilities(mixed)
    assert np.array_equal(found[WITH_ODDS][:9], found[NO_ODDS][:9])
    assert not np.isclose(found[WITH_ODDS][9:], found[NO_ODDS][9:]).all(axis=1).any()
    assert np.isnan(found[MARKET][:9]).all()
    assert np.isfinite(found[MARKET][9:]).all()
    assert np.isfinite(found[WITH_ODDS]).all()


def test_the_market_forecast_is_the_price_without_overround(
    forecaster: Forecaster, unseen: pd.DataFrame
) -> None:
    prices = unseen[["market_price_home", "market_price_draw", "market_price_away"]]
    assert forecaster.probabilities(unseen)[MARKET] == pytest.approx(remove_overround(prices), abs=1e-12)


def test_no_odds_does_not_look_at_the_market(matches: pd.DataFrame, unseen: pd.DataFrame) -> None:
    shuffled = matches.copy()
    names = [*MARKET_FEATURES, *MARKET_HISTORY_FEATURES]
    shuffled[names] = shuffled[names].sample(frac=1, random_state=1).to_numpy()
    found = [fit_forecaster(frame, QUICK) for frame in (matches, shuffled)]
    raw = [each.candidates[NO_ODDS].probabilities(ModelInput(unseen.head(20))) for each in found]
    assert np.array_equal(raw[0], raw[1])


def test_forecasting_needs_no_closing_price(forecaster: Forecaster, unseen: pd.DataFrame) -> None:
    known = unseen[list(FEATURES)].head(20)
    assert np.array_equal(
        forecaster.probabilities(known)[WITH_ODDS], forecaster.probabilities(unseen.head(20))[WITH_ODDS]
    )


def test_the_same_matches_give_the_same_forecaster(matches: pd.DataFrame, unseen: pd.DataFrame) -> None:
    first, second = (fit_forecaster(matches, QUICK) for _ in range(2))
    assert first.calibrators == second.calibrators
    for name, p in first.probabilities(unseen).items():
        assert np.array_equal(p, second.probabilities(unseen)[name])


def test_another_seed_gives_another_forecaster(
    forecaster: Forecaster, matches: pd.DataFrame, unseen: pd.DataFrame
) -> None:
    other = fit_forecaster(matches, replace(QUICK, seed=7))
    assert not np.array_equal(other.probabilities(unseen)[NO_ODDS], forecaster.probabilities(unseen)[NO_ODDS])


def test_one_match_alone_is_forecast_as_among_others(forecaster: Forecaster, unseen: pd.DataFrame) -> None:
    together = forecaster.predict(unseen.head(10))
    alone = forecaster.predict(unseen.iloc[[4]])
    for name, forecast in alone.items():
        assert forecast.probabilities[0] == pytest.approx(together[name].probabilities[4], abs=1e-12)
        assert forecast.grid[0] == pytest.approx(together[name].grid[4], abs=1e-9)


def test_it_survives_pickling(forecaster: Forecaster, unseen: pd.DataFrame) -> None:
    again = pickle.loads(pickle.dumps(forecaster))
    assert again.primary == forecaster.primary
    assert np.array_equal(again.probabilities(unseen)[WITH_ODDS], forecaster.probabilities(unseen)[WITH_ODDS])


def test_a_league_without_a_market_has_a_forecaster_too(matches: pd.DataFrame, unseen: pd.DataFrame) -> None:
    forecaster = fit_forecaster(without_prices(matches), QUICK)
    assert set(forecaster.names) == {NO_ODDS, ELO}
    assert forecaster.primary in (NO_ODDS, ELO)
    assert np.isfinite(forecaster.probabilities(without_prices(unseen))[NO_ODDS]).all()


def test_a_forecast_worse_than_a_simpler_one_is_not_published(matches: pd.DataFrame) -> None:
    """Prices that mislead from some day on: the rehearsal notices, and with_odds is not the primary forecast."""
    misled = matches.copy()
    late = misled["kickoff_at"] > misled["kickoff_at"].quantile(0.7)
    prices = ["market_price_home", "market_price_draw", "market_price_away"]
    misled.loc[late, prices] = misled.loc[late, prices[::-1]].to_numpy()
    assert fit_forecaster(misled, QUICK).primary != WITH_ODDS


def test_nothing_known_of_a_match_is_still_a_forecast(forecaster: Forecaster, unseen: pd.DataFrame) -> None:
    nothing = unseen[list(FEATURES)].head(2) * np.nan
    found = forecaster.predict(nothing)
    for name in (WITH_ODDS, NO_ODDS, ELO):
        assert np.isfinite(found[name].probabilities).all()


def test_calibration_follows_what_the_rehearsal_saw(matches: pd.DataFrame, unseen: pd.DataFrame) -> None:
    """Forecasts twice as sure as they may be come out less sure, once it was seen that they are."""
    outcomes = unseen["outcome"].to_numpy(dtype=np.int64)
    honest = fit_forecaster(matches, QUICK).candidates[NO_ODDS].probabilities(ModelInput(unseen))
    too_sure = softmax(2 * np.log(honest))
    many = np.resize(np.arange(len(unseen)), 20_000)
    months = np.sort(many) * 24 // len(unseen)
    rehearsal = Rehearsal({NO_ODDS: too_sure[np.sort(many)]}, outcomes[np.sort(many)], months)
    (calibrator,) = calibrators_by(rehearsal).values()
    assert log_loss(calibrator.apply(too_sure), outcomes).mean() < log_loss(too_sure, outcomes).mean() - 0.01


def test_sets_and_intervals_come_with_the_primary_forecast(
    forecaster: Forecaster, unseen: pd.DataFrame
) -> None:
    found = forecaster.probabilities(unseen)
    outcomes = unseen["outcome"].to_numpy(dtype=np.int64)
    assert forecaster.sets is not None
    hit = forecaster.sets.sets(found[forecaster.primary], 0.9)[np.arange(len(outcomes)), outcomes].mean()
    assert hit == pytest.approx(0.9, abs=0.05)
    intervals = forecaster.intervals(found, 0.9)
    assert intervals is not None
    assert (intervals.low < found[forecaster.primary]).all()
    assert (found[forecaster.primary] < intervals.high).all()


def test_the_total_of_goals_follows_the_market_only_where_prices_may_be_known(
    forecaster: Forecaster, unseen: pd.DataFrame
) -> None:
    many_goals = unseen.head(5).assign(market_price_over=1.3, market_price_under=3.6)
    for name, moved in ((WITH_ODDS, True), (NO_ODDS, False)):
        before, after = (
            total_over(forecaster.predict(frame[list(FEATURES)])[name].grid)
            for frame in (unseen.head(5), many_goals)
        )
        assert (np.abs(after - before) > 0.05).all() == moved
        assert np.array_equal(after, before) != moved


def test_missing_columns_are_named(forecaster: Forecaster, unseen: pd.DataFrame) -> None:
    with pytest.raises(FeaturesUnavailable, match="home_elo"):
        forecaster.predict(unseen[list(FEATURES)].drop(columns="home_elo"))


def test_no_match_to_learn_from(matches: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no played match"):
        fit_forecaster(matches.head(0), QUICK)


def test_a_handful_of_matches_is_enough_to_run(unseen: pd.DataFrame) -> None:
    few = simulated_matches(n_seasons=1, n_a_season=40, seed=5)
    found: dict[str, Floats] = fit_forecaster(few, QUICK).probabilities(unseen.head(5))
    assert all(np.isfinite(p).all() for p in found.values())


def test_no_match_is_forecast_by_no_rows(forecaster: Forecaster, unseen: pd.DataFrame) -> None:
    for forecast in forecaster.predict(unseen[list(FEATURES)].head(0)).values():
        assert (forecast.probabilities.shape, forecast.grid.shape) == ((0, 3), (0, 11, 11))


def test_an_unrated_side_is_what_newcomers_of_its_tier_are(matches: pd.DataFrame) -> None:
    rating = SingleRating.fit(ModelInput(matches), "elo")
    shown = matches.head(2).assign(home_elo=1500.0, competition_tier=3.0, away_elo=[np.nan, 1280.0])
    unrated, rated = rating.probabilities(ModelInput(shown))
    assert unrated.tolist() == rated.tolist()
    assert unrated[0] > rating.probabilities(ModelInput(shown.assign(away_elo=1500.0)))[0, 0]


def test_a_candidate_that_cannot_be_fitted_is_named_and_faults_are_not_swallowed(
    matches: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    decided = matches[matches["outcome"] != 1]
    found = fit_forecaster(decided, QUICK)
    assert ELO not in found.names
    assert "cannot be fitted" in caplog.text

    def faulty(matches: ModelInput) -> Candidate:
        raise ValueError("shapes do not fit")

    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="shapes do not fit"):
        ended(begin_fits(ModelInput(matches), {ELO: faulty}, pool))
