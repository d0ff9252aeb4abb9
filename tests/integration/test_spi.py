"""SPI's forecasts on real data: they are given to the matches they were made for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks.real_seasons import read_seasons
from benchmarks.spi import spi_forecasts

from touchline.forecasting.metrics import rps


@pytest.fixture(scope="module")
def spi_file(shared_data: Path) -> Path:
    return shared_data / "spi_matches_2016_2023.parquet"


@pytest.fixture(scope="module")
def matches(season_files: Path) -> pd.DataFrame:
    """Three divisions: one plain, one with play-offs, one whose teams meet more than once at the same place."""
    played = read_seasons(season_files, 2020, 2021, ("E0", "I2", "SC0")).matches.to_pandas()
    played["kickoff_at"] = pd.to_datetime(played["kickoff_at"], utc=True)
    return played.dropna(subset=["home_goals"])


@pytest.fixture(scope="module")
def forecasts(matches: pd.DataFrame, spi_file: Path) -> pd.DataFrame:
    return spi_forecasts(matches, spi_file)


def test_nearly_every_match_that_the_file_forecasts_is_linked_once(
    matches: pd.DataFrame, forecasts: pd.DataFrame, spi_file: Path
):
    said = pd.read_parquet(spi_file)
    is_held = said["league_id"].isin([2411, 1856, 2417]) & said["season"].isin([2020, 2021])
    assert forecasts["match_id"].is_unique
    assert set(forecasts["match_id"]) <= set(matches["match_id"])
    # Play-offs of the second Italian division are in one file only.
    assert len(forecasts) > 0.97 * is_held.sum()


def test_linked_forecasts_are_of_the_matches_they_are_given_to(
    matches: pd.DataFrame, forecasts: pd.DataFrame
):
    """Two matches of a season are told apart by the outcome: forecasts of others would score worse than base rates."""
    joined = matches.merge(forecasts, on="match_id")
    goals = joined["home_goals"].to_numpy(dtype=float) - joined["away_goals"].to_numpy(dtype=float)
    outcome = 1 - np.sign(goals).astype(np.int64)
    probabilities = joined[["p_home", "p_draw", "p_away"]].to_numpy()
    base_rates = np.tile(np.bincount(outcome) / len(outcome), (len(outcome), 1))
    shuffled = np.random.default_rng(1).permutation(probabilities)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert rps(probabilities, outcome).mean() < rps(base_rates, outcome).mean() - 0.01
    assert rps(base_rates, outcome).mean() < rps(shuffled, outcome).mean()
