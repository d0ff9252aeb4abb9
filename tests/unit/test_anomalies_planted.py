"""Anomalies planted in real seasons by the recipe of docs/anomalies.md are found, and little else is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from benchmarks.anomalies import measure
from benchmarks.counted_findings import count
from benchmarks.planted_anomalies import plant
from benchmarks.planted_plot import Planted
from benchmarks.real_seasons import Seasons, read_seasons
from polars.testing import assert_frame_equal

from touchline.anomalies.finding import SCHEMA

pytestmark = pytest.mark.slow

SINCE, UNTIL = datetime(2022, 7, 20, tzinfo=UTC), datetime(2023, 7, 10, tzinfo=UTC)
# Enough competitions for weeks to be alike, few enough for a test.
COMPETITIONS = ("E0", "E1", "E2", "E3", "SC0", "D1", "D2", "I1", "SP1", "SP2", "F1", "F2")


@pytest.fixture(scope="module")
def seasons(season_files: Path) -> Seasons:
    return read_seasons(season_files, 2019, 2022, COMPETITIONS)


@pytest.fixture(scope="module")
def first(seasons: Seasons) -> tuple[Seasons, list[Planted]]:
    """What seed 1 plants."""
    return plant(seasons, SINCE, UNTIL, seed=1)


@pytest.mark.slow
def test_nine_in_ten_planted_anomalies_are_found_and_four_in_five_findings_are_right(seasons: Seasons):
    counted, _ = measure(seasons, 2022, seed=11)
    assert sum(counted.planted.values()) > 200
    assert counted.recall >= 0.9
    assert counted.precision >= 0.8


@pytest.mark.nightly  # By day what one seed plants, and where.
def test_the_same_seed_plants_the_same_and_another_seed_something_else(
    seasons: Seasons, first: tuple[Seasons, list[Planted]]
):
    second, other = (plant(seasons, SINCE, UNTIL, seed) for seed in (1, 2))
    assert first[1] == second[1]
    assert_frame_equal(first[0].quotes, second[0].quotes)
    assert first[1] != other[1]


def test_what_lies_before_the_planted_season_is_as_it_was(
    seasons: Seasons, first: tuple[Seasons, list[Planted]]
):
    changed, planted = first
    before = pl.col("kickoff_at") < SINCE
    assert_frame_equal(changed.matches.filter(before), seasons.matches.filter(before))
    assert_frame_equal(changed.quotes.filter(before), seasons.quotes.filter(before), check_row_order=False)
    assert len({each.kind for each in planted}) == 15


def finding(
    subject_kind: str, subject: str, detector: str = "d", match_id: str | None = None
) -> pl.DataFrame:
    row = {"subject_kind": subject_kind, "subject": subject, "detector": detector, "match_id": match_id}
    return pl.DataFrame([row], schema=SCHEMA)


def test_an_honest_bookmaker_blamed_for_the_price_of_another_is_a_false_finding():
    planted = [Planted("typing", "quote", frozenset({"m"}), ("PS", "1x2", "closing"))]
    right, _ = count(finding("quote", "m/PS/1x2/0.0/closing", match_id="m"), planted)
    wrong, false = count(finding("quote", "m/WH/1x2/0.0/closing", match_id="m"), planted)
    assert (right.recall, right.precision) == (1, 1)
    assert (wrong.recall, wrong.precision) == (0, 0)
    assert false["subject"].to_list() == ["m/WH/1x2/0.0/closing"]


def test_a_second_finding_on_the_same_thing_counts_for_nothing():
    planted = [Planted("typing", "quote", frozenset({"m"}), ("PS", "1x2", "closing"))]
    both = pl.concat(
        [
            finding("quote", "m/PS/1x2/0.0/closing", match_id="m"),
            finding("match", "m", "market_unlike_teams", "m"),
        ]
    )
    counted, _ = count(both, planted)
    assert counted.found["typing"] == 1
    assert counted.consequent["market_unlike_teams"] == 1
    assert counted.precision == 1
