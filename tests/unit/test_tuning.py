"""Parameters by dotted name, the search space over them, and a search that repeats itself."""

from __future__ import annotations

import logging
from dataclasses import replace

import optuna
import pandas as pd
import pytest
from optuna.trial import FixedTrial

from touchline.forecasting.specs import ForecasterParameters
from touchline.registry.parameters import flat, with_values
from touchline.registry.search_space import SEARCH_SPACE, searched_values, suggest
from touchline.registry.tuning import search
from training_frames import QUICK, simulated_matches

LONG_ENOUGH = 600.0
# As few trees as the search space allows.
FEW = with_values(
    QUICK,
    {"no_odds.trees.rounds": 40, "with_odds.movement.rounds": 40, "with_odds.residual.rounds": 20},
)


def test_parameters_are_flat_values_by_dotted_name_and_come_back_from_text():
    values = flat(QUICK)
    assert values["no_odds.trees.rounds"] == QUICK.no_odds.trees.rounds
    assert values["overround"] == "power"
    assert with_values(ForecasterParameters(), values) == QUICK
    assert with_values(ForecasterParameters(), {name: str(value) for name, value in values.items()}) == QUICK


def test_what_this_code_cannot_use_is_ignored_with_a_warning(caplog: pytest.LogCaptureFixture):
    given = {
        "no_odds.trees.depth": 3,
        "no_odds.ridge": "nan",
        "no_odds.trees.rounds": 20.5,
        "no_odds.line_half_life": 5,
    }
    with caplog.at_level(logging.WARNING):
        found = with_values(QUICK, given)
    assert found == replace(QUICK, no_odds=replace(QUICK.no_odds, line_half_life=5.0))
    assert {"depth", "ridge", "rounds"} == {
        name for name in ("depth", "ridge", "rounds", "half_life") if name in caplog.text
    }


def test_every_range_belongs_to_a_parameter_and_holds_its_default():
    defaults = searched_values(ForecasterParameters())
    assert set(defaults) == set(SEARCH_SPACE)
    for name, value in defaults.items():
        assert SEARCH_SPACE[name].low <= value <= SEARCH_SPACE[name].high, name


def test_a_trial_changes_what_it_may_and_nothing_else():
    wanted = searched_values(FEW) | {"no_odds.trees.rounds": 77, "with_odds.residual.share": 0.25}
    found = suggest(FixedTrial(wanted), FEW)
    assert found == with_values(FEW, {"no_odds.trees.rounds": 77, "with_odds.residual.share": 0.25})


@pytest.fixture(scope="module")
def matches() -> pd.DataFrame:
    return simulated_matches(n_seasons=2, n_a_season=310)


@pytest.fixture(scope="module")
def study(matches: pd.DataFrame) -> optuna.Study:
    return search(matches, ["2016/17"], FEW, LONG_ENOUGH, n_trials=3)


def test_the_first_trial_is_what_is_used_now_so_that_nothing_worse_is_found(study: optuna.Study):
    assert study.trials[0].params == searched_values(FEW)
    assert study.best_value <= study.trials[0].value


def test_each_trial_reports_every_season(study: optuna.Study):
    assert [set(trial.intermediate_values) for trial in study.trials] == [{0}] * 3


def test_the_same_matches_and_seed_search_alike(matches: pd.DataFrame, study: optuna.Study):
    again = search(matches, ["2016/17"], FEW, LONG_ENOUGH, n_trials=3)
    assert [(trial.params, trial.value) for trial in again.trials] == [
        (trial.params, trial.value) for trial in study.trials
    ]


def test_no_trial_begins_after_the_budget(matches: pd.DataFrame):
    assert len(search(matches, ["2016/17"], FEW, 1e-6, n_trials=None).trials) == 1
