"""Matching: each rule speaks only where it is sure, one to one, and what is left is never guessed."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from touchline.identity.matching import Decision, Names, Rules, match
from touchline.identity.names import similarity
from touchline.identity.schedule import ScheduledMatch, Schedules

TEAMS = ("Ath Bilbao", "Ath Madrid", "Barcelona", "Betis", "Sociedad", "Real Madrid", "Sp Gijon", "Valencia")
START = date(2022, 8, 13)
WORDS = st.sampled_from(
    [
        "FC", "AC", "United", "Utd", "City", "Real", "Ath", "Athletic", "Sp", "Sporting", "Man", "Manchester",
        "Bristol", "Rovers", "Rvs", "Milan", "Inter", "B", "II", "Dundee", "Ajaccio", "Paris", "SG", "Saint",
        "St", "Germain", "Bury", "Burnley", "Nott'm", "Nottingham",
    ]
)  # fmt: skip
NAMES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


def named(*teams: str, elsewhere: tuple[str, ...] = (), is_complete: bool = True) -> Names:
    return Names(frozenset(teams), frozenset(elsewhere), is_complete)


def round_robin(teams: tuple[str, ...]) -> list[ScheduledMatch]:
    """Every pairing home and away, a round a week, by the circle method."""
    n, ring, matches = len(teams), list(teams[1:]), []
    for number in range(2 * (n - 1)):
        order = [teams[0], *ring]
        for one, other in zip(order[: n // 2], reversed(order[n // 2 :]), strict=True):
            home, away = (one, other) if (number < n - 1) == (number % 2 == 0) else (other, one)
            matches.append(ScheduledMatch(START + timedelta(weeks=number), home, away))
        ring = [ring[-1], *ring[:-1]]
    return matches


def renamed(matches: list[ScheduledMatch], names: dict[str, str], days: int = 0) -> list[ScheduledMatch]:
    return [
        ScheduledMatch(
            item.played_on + timedelta(days), names.get(item.home, item.home), names.get(item.away, item.away)
        )
        for item in matches
    ]


def teams_of(decisions: dict[str, Decision]) -> dict[str, str | None]:
    return {alias: made.team for alias, made in decisions.items()}


def test_a_settled_link_stands_before_every_rule():
    made = match(["Milan"], named("Milan", "Inter"), settled={"Milan": "Inter"})["Milan"]
    assert (made.team, made.method) == ("Inter", "exact")


def test_rules_are_tried_from_the_surest_to_the_least_sure():
    decisions = match(["Arsenal", "Fulham FC", "Leeds United"], named("Arsenal", "Fulham", "Leeds"))
    assert [(made.team, made.method) for made in decisions.values()] == [
        ("Arsenal", "exact"), ("Fulham", "normalised"), ("Leeds", "fuzzy"),
    ]  # fmt: skip


def test_a_name_that_two_teams_could_mean_is_doubtful_with_both_named():
    made = match(["Bristol"], named("Bristol City", "Bristol Rvs"))["Bristol"]
    assert made.team is None
    assert made.method is None
    assert {made.candidate, made.runner_up} == {"Bristol City", "Bristol Rvs"}
    assert made.score == made.runner_up_score or made.score - made.runner_up_score < Rules().margin  # type: ignore[operator]


def test_two_names_that_could_mean_one_team_are_both_doubtful():
    decisions = match(["Leeds United", "Leeds City"], named("Leeds", "Arsenal"))
    assert teams_of(decisions) == {"Leeds City": None, "Leeds United": None}


def test_two_clubs_with_the_same_name_but_for_the_legal_form_are_not_told_apart_by_it():
    assert match(["SC Bastia"], named("Bastia", "CA Bastia"))["SC Bastia"].team is None


def test_a_team_elsewhere_in_the_country_competes_but_only_its_very_name_means_it():
    names = named("Sevilla B", "Betis", elsewhere=("Sevilla", "Girona"))
    assert match(["Sevilla Atletico"], names)["Sevilla Atletico"].team is None
    assert match(["Girona FC"], names)["Girona FC"].team == "Girona"
    assert (
        match(["Dundee Utd"], named("Dundee", elsewhere=("Dundee United",)))["Dundee Utd"].team
        == "Dundee United"
    )


def test_likeness_does_not_count_while_the_list_of_teams_is_growing():
    assert match(["Leeds United"], named("Leeds"))["Leeds United"].team == "Leeds"
    assert match(["Leeds United"], named("Leeds", is_complete=False))["Leeds United"].team is None


def test_a_withheld_name_is_left_to_a_person():
    assert match(["Leeds"], named("Leeds"), withheld={"Leeds"})["Leeds"].team is None


def test_a_schedule_settles_what_names_cannot():
    means = {"Ath Bilbao": "Athletic Club", "Ath Madrid": "Atleti", "Barcelona": "Barca"}
    played = round_robin(TEAMS)
    names = Names(frozenset(TEAMS), schedule=frozenset(played))
    aliases = [means.get(team, team) for team in TEAMS]
    alone = match(aliases, Names(frozenset(TEAMS)))
    assert alone["Atleti"].team is alone["Athletic Club"].team is None
    decisions = match(aliases, names, schedule=renamed(played, means, days=1))
    assert teams_of(decisions) == {means.get(team, team): team for team in TEAMS}
    assert decisions["Atleti"].method == "schedule"
    assert decisions["Atleti"].score == 100


def test_a_schedule_two_days_off_settles_nothing_and_takes_nothing_back():
    played = round_robin(TEAMS)
    names = Names(frozenset(TEAMS), schedule=frozenset(played))
    decisions = match(
        [*TEAMS[1:], "Athletic Club"], names, schedule=renamed(played, {TEAMS[0]: "Athletic Club"}, 2)
    )
    assert decisions["Athletic Club"].team is None
    assert decisions["Ath Madrid"].team == "Ath Madrid"


def test_a_few_match_days_are_not_enough():
    last = START + timedelta(weeks=Rules().min_match_days - 2)
    played = [item for item in round_robin(TEAMS) if item.played_on <= last]
    names = Names(frozenset(TEAMS), schedule=frozenset(played))
    decisions = match(
        [*TEAMS[1:], "Athletic Club"], names, schedule=renamed(played, {TEAMS[0]: "Athletic Club"})
    )
    assert decisions["Athletic Club"].team is None


def test_a_name_that_the_schedule_denies_is_taken_back_and_settled_by_it():
    # The source calls Bilbao what we call Madrid: whose matches they are shows who is meant.
    means = {"Ath Bilbao": "Ath Madrid", "Ath Madrid": "Atleti"}
    played = round_robin(TEAMS)
    names = Names(frozenset(TEAMS), schedule=frozenset(played))
    decisions = match([means.get(team, team) for team in TEAMS], names, schedule=renamed(played, means))
    assert decisions["Ath Madrid"].team == "Ath Bilbao"
    assert decisions["Atleti"].team == "Ath Madrid"


def test_agreement_counts_only_days_that_both_lists_cover_and_known_opponents():
    ours = [ScheduledMatch(START + timedelta(weeks=week), "A", "BCDEFG"[week]) for week in range(6)]
    theirs = [*renamed(ours, {"A": "a", "B": "b"}), ScheduledMatch(START + timedelta(weeks=20), "a", "b")]
    schedules = Schedules(theirs, ours)
    assert schedules.agreement("a", "A", {}).n_days == 6
    assert schedules.agreement("a", "A", {"b": "B"}).n_agreeing == 6
    assert schedules.agreement("a", "A", {"b": "Z"}).n_agreeing == 5
    assert Schedules([], ours).agreement("a", "A", {}).share == 0


@given(st.lists(NAMES, max_size=8), st.lists(NAMES, max_size=8), st.lists(NAMES, max_size=4), st.data())
def test_decisions_are_one_to_one_never_below_the_threshold_and_whatever_the_order(
    aliases: list[str], teams: list[str], elsewhere: list[str], data: st.DataObject
):
    names = Names(frozenset(teams), frozenset(elsewhere) - frozenset(teams))
    decisions = match(aliases, names)
    shuffled = data.draw(st.permutations(aliases))
    assert match(shuffled, names) == decisions
    assert set(decisions) == set(aliases)
    linked = [made for made in decisions.values() if made.team is not None]
    assert len({made.team for made in linked}) == len(linked)
    for made in linked:
        assert made.team in names.teams | names.elsewhere
        assert similarity(made.alias, made.team or "") >= Rules().threshold or made.method == "exact"
        if made.method == "fuzzy":
            assert made.team in names.teams
            assert made.score is not None
            assert made.score - (made.runner_up_score or 0.0) >= Rules().margin
    for made in decisions.values():
        assert (made.team is None) == (made.method is None)


@given(st.permutations(TEAMS), st.sets(st.sampled_from(TEAMS)), st.integers(-1, 1))
def test_with_a_schedule_no_name_is_linked_wrongly_however_it_is_spelled(
    order: list[str], hidden: set[str], days: int
):
    played = round_robin(tuple(order))
    means = {team: f"Team {number}" for number, team in zip(itertools.count(), sorted(hidden), strict=False)}
    truth = {means.get(team, team): team for team in TEAMS}
    names = Names(frozenset(TEAMS), schedule=frozenset(played))
    decisions = match(list(truth), names, schedule=renamed(played, means, days))
    assert all(made.team in (None, truth[alias]) for alias, made in decisions.items())
