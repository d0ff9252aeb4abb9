"""The simulated world beside real files: its football keeps the bounds of real competitions, and the page says so."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest

from football_measures import (
    COMPETITIONS,
    MEASURES,
    TOP_FIVE,
    bounds,
    measure,
    real_matches,
    simulated_matches,
)
from touchline.settings import PROJECT_ROOT, Settings

PAGE = PROJECT_ROOT / "docs" / "simulated-football.md"
SEED = Settings.model_fields["sandbox_seed"].default
# The lowest and the highest of the 22 real competitions, seasons 2019/20 to 2022/23.
REAL = {
    "goals a match": (2.2, 3.13),
    "goals of the home side minus the away side's": (0.15, 0.37),
    "home wins": (0.402, 0.448),
    "draws": (0.223, 0.314),
    "matches with six goals or more": (0.023, 0.095),
    "most goals in a match": (8, 13),
    "overround of the average prices, 1X2": (1.042, 1.089),
    "overround of the average prices, over and under 2.5": (1.048, 1.072),
    "price of the favourite: 1 % are below": (1.07, 1.46),
    "price of the favourite: 5 % are below": (1.14, 1.63),
    "price of the favourite: median": (1.77, 2.21),
    "price of the draw: median": (3.05, 3.9),
    "price of over 2.5: 1 % are below": (1.17, 1.8),
    "price of over 2.5: median": (1.61, 2.44),
    "price of over 2.5: 1 % are above": (2.08, 3.08),
    "goals expected by that price: 1 % are below": (1.93, 2.49),
    "goals expected by that price: median": (2.23, 3.04),
    "goals expected by that price: most": (3.17, 4.83),
    "log loss of the average pre-match price": (0.92, 1.063),
    "log loss of the average closing price": (0.916, 1.059),
    "log movement of the home price to the close, standard deviation": (0.067, 0.121),
}


@pytest.fixture(scope="module")
def simulated() -> dict[str, float]:
    return measure(simulated_matches(SEED))


def shown(name: str, values: Iterable[float]) -> list[str]:
    return [f"{value:.{MEASURES[name]}f}" for value in values]


def table() -> dict[str, list[str]]:
    """The cells of the page's table by measure: E0, the five leagues, the lowest and highest, the simulated world."""
    lines = (line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| "))
    return {name: cells for name, *cells in lines if name in MEASURES}


@pytest.mark.parametrize("name", MEASURES)
def test_the_simulated_world_is_within_what_real_competitions_show(simulated: dict[str, float], name: str):
    low, high = REAL[name]
    assert low <= round(simulated[name], MEASURES[name]) <= high


def test_the_page_shows_the_simulated_world_as_it_is(simulated: dict[str, float]):
    page = table()
    assert {name: page[name][3] for name in MEASURES} == {
        name: shown(name, [simulated[name]])[0] for name in MEASURES
    }
    assert {name: page[name][2] for name in MEASURES} == {
        name: " to ".join(shown(name, REAL[name])) for name in MEASURES
    }


@pytest.mark.slow
def test_the_bounds_and_the_page_are_those_of_the_real_files(season_files: Path):
    real = {competition: real_matches(season_files, competition) for competition in COMPETITIONS}
    assert bounds([measure(matches) for matches in real.values()]) == REAL
    premier_league = measure(real["E0"])
    top_five = measure(pl.concat(real[competition] for competition in TOP_FIVE))
    assert {name: cells[:2] for name, cells in table().items()} == {
        name: shown(name, (premier_league[name], top_five[name])) for name in MEASURES
    }
