"""Fits that are kept from one night to the next."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from touchline.forecasting.kept_fits import MOST_KEPT, KeptFits
from touchline.forecasting.walk_forward import walk_forward
from training_frames import QUICK, simulated_matches

NAMES = ("elo", "no_odds", "market", "with_odds", "base_rates")
SEASONS = ["2018/19"]


@pytest.fixture(scope="module")
def matches() -> pd.DataFrame:
    return simulated_matches(n_seasons=4, n_a_season=150)


@pytest.fixture(scope="module")
def last_night(matches: pd.DataFrame) -> pd.DataFrame:
    """Before the last month's matches were played."""
    return matches[matches["kickoff_at"] < matches["kickoff_at"].max() - pd.Timedelta(30, "D")]


def forecast(matches: pd.DataFrame, folder: Path | None) -> pd.DataFrame:
    kept = None if folder is None else KeptFits(folder)
    return walk_forward(matches, SEASONS, QUICK, names=NAMES, kept=kept)


def written(folder: Path) -> dict[str, int]:
    """The files of fits, each with what tells one writing of it from another."""
    return {path.name: path.stat().st_ino for path in folder.glob("*.pickle")}


def test_the_next_night_fits_nothing_again_and_forecasts_the_same(
    matches: pd.DataFrame, last_night: pd.DataFrame, tmp_path: Path
):
    forecast(last_night, tmp_path)
    fitted = written(tmp_path)
    tonight = forecast(matches, tmp_path)
    assert fitted
    assert written(tmp_path) == fitted
    pd.testing.assert_frame_equal(tonight, forecast(matches, None), check_exact=True)


def test_a_corrected_match_before_a_season_is_learned_anew(matches: pd.DataFrame, tmp_path: Path):
    forecast(matches, tmp_path)
    corrected = matches.copy()
    corrected.loc[corrected.index[0], "outcome"] = (corrected["outcome"].iloc[0] + 1) % 3
    found = forecast(corrected, tmp_path)
    pd.testing.assert_frame_equal(found, forecast(corrected, None), check_exact=True)


def test_a_fit_that_cannot_be_read_is_made_again(matches: pd.DataFrame, tmp_path: Path):
    whole = forecast(matches, tmp_path)
    for path in tmp_path.glob("*.pickle"):
        path.write_bytes(path.read_bytes()[:100])
    pd.testing.assert_frame_equal(forecast(matches, tmp_path), whole, check_exact=True)


def test_only_the_last_used_fits_stay(tmp_path: Path):
    kept = KeptFits(tmp_path)
    places = [tmp_path / f"{number:02d}.pickle" for number in range(MOST_KEPT + 3)]
    for place in places[:MOST_KEPT]:
        kept.keep(place, {})
    kept.read(places[0])
    for place in places[MOST_KEPT:]:
        kept.keep(place, {})
    assert set(written(tmp_path)) == {path.name for path in [places[0], *places[4:]]}
