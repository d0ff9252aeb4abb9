"""Identity on real data: FiveThirtyEight's names against the season files', the answer checked by date and score."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.identity import COMPETITIONS, Season, links_to_absent_teams, measure, read_seasons

from touchline.identity.competitions import competitions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seasons(shared_data: Path, season_files: Path) -> list[Season]:
    return read_seasons(shared_data, season_files)


def test_all_eighteen_competitions_are_compared_and_every_name_has_a_sure_answer(seasons: list[Season]):
    assert {season.competition for season in seasons} == set(COMPETITIONS.values())
    assert len(COMPETITIONS) == 18
    assert sum(season.n_unsure for season in seasons) == 0
    n_held = sum(1 for season in seasons for _ in season.held_by_both())
    assert n_held > 0.97 * sum(len(season.spi) for season in seasons)


def test_names_alone_are_never_wrong_and_settle_most_matches(seasons: list[Season]):
    found = measure(seasons, with_schedule=False)
    print(f"names alone: {found}")
    assert found.n_wrong == 0
    assert found.wrong_names == []
    assert found.share > 0.9


def test_names_and_schedules_link_at_least_995_of_1000_matches_and_none_wrongly(seasons: list[Season]):
    found = measure(seasons, with_schedule=True)
    print(f"names and schedules: {found}")
    assert found.n_matches > 30_000
    assert found.n_wrong == 0
    assert found.wrong_names == []
    assert found.share >= 0.995


def test_a_name_means_the_same_team_in_every_season(seasons: list[Season]):
    meanings = defaultdict(set)
    for season in seasons:
        for alias, team in season.truth.items():
            meanings[competitions()[season.competition].country, alias].add(team)
    assert all(len(teams) == 1 for teams in meanings.values())


@pytest.mark.nightly  # By day on invented names (tests/unit/test_identity_matching.py).
def test_a_name_whose_team_is_not_in_the_list_is_given_to_no_other(seasons: list[Season]):
    n_tried, wrong = links_to_absent_teams(seasons)
    assert n_tried > 1_700
    assert wrong == []


@pytest.mark.parametrize(
    "share", [0.05, *(pytest.param(share, marks=pytest.mark.nightly) for share in (0.01, 0.15, 0.3))]
)
def test_a_list_of_teams_that_is_still_growing_gives_no_wrong_link(seasons: list[Season], share: float):
    found = measure([begun(season, share) for season in seasons], with_schedule=True)
    assert found.wrong_names == []


def begun(season: Season, share: float) -> Season:
    """The same season when only its first matches are in the season file."""
    days = sorted(item.played_on for item in season.names.schedule)
    last = days[int(share * len(days))]
    known = frozenset(item for item in season.names.schedule if item.played_on <= last)
    teams = frozenset(team for item in known for team in (item.home, item.away))
    return replace(season, names=replace(season.names, teams=teams, schedule=known))
