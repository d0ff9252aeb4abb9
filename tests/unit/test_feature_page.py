"""The catalogue of features: nothing is left out, each column is traced to its features, and importance adds up."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from touchline.features.catalogue import (
    AVAILABILITY,
    CATALOGUE,
    CONTEXT_FEATURES,
    FEATURES,
    FORM_FEATURES,
    GROUPS,
    RATING_FEATURES,
)
from touchline.features.columns import YAML, with_columns
from touchline.forecasting.design import ModelInput
from touchline.forecasting.design_sources import DESIGNS, sources
from touchline.forecasting.forecaster import fit_forecaster
from touchline.forecasting.report.feature_page import FeatureEntry, describe_features, feature_page
from touchline.forecasting.report.importance import forecaster_importance
from touchline.forecasting.specs import NO_ODDS, WITH_ODDS
from touchline.settings import PROJECT_ROOT
from training_frames import QUICK, simulated_matches


@pytest.fixture(scope="module")
def matches() -> pd.DataFrame:
    """One match in four without prices, and one feature that is never known."""
    made = simulated_matches(n_seasons=3)
    priced = [name for name in made if str(name).startswith("market_")]
    made.loc[made.index % 4 == 0, priced] = np.nan
    return made.assign(home_form_corners_long=np.nan)


@pytest.fixture(scope="module")
def importance(matches: pd.DataFrame) -> pd.DataFrame:
    return forecaster_importance(fit_forecaster(matches, QUICK), matches)


@pytest.fixture(scope="module")
def entries(matches: pd.DataFrame, importance: pd.DataFrame) -> dict[str, FeatureEntry]:
    return {entry.name: entry for entry in describe_features(matches, importance)}


def test_every_column_that_models_see_is_made_of_features_and_every_feature_is_seen(matches: pd.DataFrame):
    seen = ModelInput(matches)
    for forecast, design in ((NO_ODDS, seen.history), (WITH_ODDS, seen.market)):
        assert tuple(sources(forecast)) == design.names
        assert all(sources(forecast).values())
    assert {name for forecast in DESIGNS for made in sources(forecast).values() for name in made} == set(
        FEATURES
    )


def test_the_forecast_without_odds_is_made_of_nothing_that_a_market_says():
    known = {name for made in sources(NO_ODDS).values() for name in made}
    assert known == {*RATING_FEATURES, *FORM_FEATURES, *CONTEXT_FEATURES}


@pytest.mark.parametrize(
    ("column", "features"),
    [
        ("gap_elo", {"home_elo", "away_elo"}),
        (
            "goals_medium_home",
            {
                "home_attack_medium", "away_defence_medium", "home_level_mixed", "away_level_mixed",
                "home_home_advantage_mixed", "away_home_advantage_mixed",
            },
        ),
        ("maximum_gap", {f"market_{kind}_{side}" for kind in ("price", "maximum") for side in ("home", "away")}),
        ("draw_move_last", {"home_draw_move_last", "away_draw_move_last"}),
        ("month", {"month"}),
    ],
)  # fmt: skip
def test_columns_are_traced_to_what_their_formula_reads(column: str, features: set[str]):
    assert {name for forecast in DESIGNS for name in sources(forecast).get(column, ())} == features


def test_every_feature_has_an_entry_and_every_group_says_when_it_is_known(entries: dict[str, FeatureEntry]):
    assert tuple(entries) == FEATURES
    assert {entry.group for entry in entries.values()} == set(AVAILABILITY) == set(GROUPS)
    assert entries["home_elo"].used_by == (NO_ODDS, WITH_ODDS)
    assert entries["market_price_home"].used_by == (WITH_ODDS,)


def test_the_missing_rate_is_that_of_the_matches(entries: dict[str, FeatureEntry]):
    assert entries["market_price_home"].missing == 0.25
    assert entries["home_form_corners_long"].missing == 1
    assert entries["home_elo"].missing == 0


def test_the_importance_of_features_adds_up_to_that_of_columns(
    entries: dict[str, FeatureEntry], importance: pd.DataFrame
):
    for forecast in (NO_ODDS, WITH_ODDS):
        of_features = sum(entry.importance.get(forecast, 0) for entry in entries.values())
        assert of_features == pytest.approx(importance.loc[importance["forecast"] == forecast, "mean"].sum())
        assert of_features > 0
    assert entries["home_form_corners_long"].importance[NO_ODDS] == 0
    assert entries["home_elo"].importance[NO_ODDS] > entries["home_n_played"].importance[NO_ODDS]


def test_the_page_names_every_feature_with_its_missing_rate(
    matches: pd.DataFrame, entries: dict[str, FeatureEntry]
):
    page = feature_page(tuple(entries.values()), matches)
    for name, entry in entries.items():
        assert f"| `{name}`: {entry.definition} | {entry.unit} |" in page
    assert "consensus pre-match price of a home win | decimal price | 25.0 % | - |" in page
    assert "training frame of 900 matches in 2 competitions" in page
    assert all(sentence in page for sentence in AVAILABILITY.values())


def test_without_a_model_or_a_match_the_rest_is_told(matches: pd.DataFrame):
    entries = describe_features(matches, None)
    assert not any(entry.importance for entry in entries)
    assert "1 is the highest | tier | 0 % |  |  |" in feature_page(entries, matches)
    nothing = describe_features(matches.iloc[:0], None)
    assert {entry.missing for entry in nothing} == {None}
    assert "no match was played yet" in feature_page(nothing, matches.iloc[:0])


def test_the_page_in_docs_defines_features_as_the_catalogue_does():
    """What came since the page was measured is not in it yet; what is in it is as it is now."""
    page = (PROJECT_ROOT / "docs" / "features.md").read_text()
    rows = re.findall(r"^\| `(\w+)`: (.*?) \| ([^|]*) \| [^|]* \| [^|]* \| [^|]* \|$", page, re.MULTILINE)
    defined = {feature.name: (feature.text, feature.unit) for feature in CATALOGUE}
    assert {name: defined.get(name) for name, _, _ in rows} == {
        name: (text, unit) for name, text, unit in rows
    }
    counted = re.search(r"^\| all \| (\d+) \|", page, re.MULTILINE)
    assert counted is not None
    assert len(rows) == int(counted[1])
    assert all(sentence in page for sentence in AVAILABILITY.values())


def test_the_catalogue_is_read_without_any_library():
    """The command line reads it at every start."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, touchline.features.catalogue; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert "touchline.features.catalogue" in loaded
    assert not {"numpy", "pandas", "polars", "feast", "dbt", "yaml", "psycopg", "pydantic"} & set(loaded)


def test_the_columns_in_the_warehouse_are_described_as_the_catalogue_says():
    written = YAML.read_text()
    assert written == with_columns(written), "run `python -m touchline.features.columns`"
