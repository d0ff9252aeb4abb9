"""Likeness of club names: what is the same, what is alike, and what must never pass for alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.identity.matching import Rules
from touchline.identity.names import normalise, similarity

THRESHOLD = Rules().threshold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1. FC Nürnberg", "Nurnberg"), ("AFC Bournemouth", "Bournemouth"), ("SV Darmstadt 98", "Darmstadt"),
        ("1. FC Heidenheim 1846", "Heidenheim"), ("FC St. Pauli", "St Pauli"), ("Dundee Utd", "Dundee United"),
        ("Bourg-Peronnas", "Bourg Peronnas"), ("C.D. Nacional", "Nacional"), ("Málaga CF", "MALAGA"),
        ("Fatih Karagümrük", "Fatih Karagumruk"), ("Real Sociedad II", "Real Sociedad B"), ("M’Gladbach", "M'gladbach"),
        ("Union Saint-Gilloise", "Union St. Gilloise"), ("Brighton & Hove", "Brighton and Hove"),
    ],
)  # fmt: skip
def test_case_accents_punctuation_legal_forms_and_numbers_do_not_count(one: str, other: str):
    assert normalise(one).key == normalise(other).key
    assert similarity(one, other) == 100


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Manchester United", "Man United"), ("Nottingham Forest", "Nott'm Forest"), ("Athletic Bilbao", "Ath Bilbao"),
        ("Sporting Gijón", "Sp Gijon"), ("Borussia Mönchengladbach", "M'gladbach"), ("Leeds United", "Leeds"),
        ("Queens Park Rangers", "QPR"), ("Paris Saint-Germain", "Paris SG"), ("OH Leuven", "Oud-Heverlee Leuven"),
        ("Sheffield Wednesday", "Sheffield Weds"), ("Bristol Rovers", "Bristol Rvs"), ("Olympiacos", "Olympiakos"),
        ("Wolverhampton Wanderers", "Wolves"), ("Peterborough United", "Peterboro"), ("Espanyol", "Espanol"),
        ("West Bromwich Albion", "West Brom"), ("Levadiakos", "Levadeiakos"), ("Adana Demirspor", "Ad. Demirspor"),
    ],
)  # fmt: skip
def test_customary_short_forms_are_alike(one: str, other: str):
    assert similarity(one, other) >= THRESHOLD


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Manchester United", "Man City"), ("Sheffield United", "Sheffield Weds"), ("Bristol Rovers", "Bristol City"),
        ("Real Madrid", "Ath Madrid"), ("Bury", "Burnley"), ("Reggina", "Reggiana"), ("Mallorca", "Menorca"),
        ("Portsmouth", "Port Vale"), ("Juventus", "Juve Stabia"), ("Adana Demirspor", "Adanaspor"),
        ("Borussia Dortmund", "Borussia Monchengladbach"), ("Preston North End", "Northampton"),
        ("Istanbul Basaksehir", "Istanbulspor"), ("Sporting CP", "Sp Braga"), ("Athletic Club", "Ath Madrid"),
        ("Schalke 04", "Hannover 96"), ("FC", "AC"), ("", "Arsenal"),
    ],
)  # fmt: skip
def test_different_clubs_are_not_alike_however_many_letters_they_share(one: str, other: str):
    assert similarity(one, other) < THRESHOLD


@pytest.mark.parametrize(
    ("first", "second"),
    [("Barcelona", "Barcelona B"), ("Sevilla FC", "Sevilla II"), ("Arsenal", "Arsenal Women")],
)
def test_a_second_team_is_not_the_first(first: str, second: str):
    assert similarity(first, second) <= 40


def test_a_name_of_legal_forms_alone_is_still_a_name():
    assert normalise("AFC").words == ("afc",)
    assert normalise("1860").words
    assert normalise("!?").words == ()


@given(st.text(max_size=30), st.text(max_size=30))
def test_likeness_is_the_same_in_both_directions_and_within_bounds(one: str, other: str):
    assert 0 <= similarity(one, other) == similarity(other, one) <= 100


@given(st.text(max_size=30))
def test_a_name_is_its_own_like_whatever_its_letters(name: str):
    words = normalise(name).words
    assert similarity(name, name) == (100 if words else 0)
    assert normalise(name.upper().lower()).key[1] == normalise(name.lower()).key[1]
