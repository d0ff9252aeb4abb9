"""What each provider calls a club: as in reality, no two agree, and all mean the same."""

from __future__ import annotations

from functools import cache
from typing import Final

from touchline.sandbox.chance import pick, unit
from touchline.sandbox.world import COUNTRIES

SHORT: Final = {"United": "Utd", "Athletic": "Ath", "Wanderers": "Wand", "Rovers": "Rov"}


@cache
def club_number(club: str) -> int:
    """A number of its own for every club of the world, from 1."""
    return 1 + [
        f"{place} {ending}" for country in COUNTRIES for ending in country.endings for place in country.places
    ].index(club)


def football_data_org(club: str) -> str:
    """With the club's legal form: `Abora City FC`, `AFC Alph United`."""
    return pick(("{} FC", "{} FC", "{} AFC", "AFC {}"), "football_data_org", club).format(club)


def the_odds_api(club: str) -> str:
    """`United` is often `Utd`, and Ylandia's athletics are sometimes called the other way round."""
    place, ending = club.rsplit(" ", 1)
    chance = unit("the_odds_api", club)
    if ending == "United" and chance < 0.6:
        return f"{place} Utd"
    if ending == "Athletic" and chance < 0.3:
        return f"Athletic {place}"
    return club


def api_football(club: str) -> str:
    """A third of the endings is shortened."""
    place, ending = club.rsplit(" ", 1)
    is_short = unit("api_football", club) < 1 / 3
    return f"{place} {SHORT.get(ending, ending)}" if is_short else club


def three_letters(club: str) -> str:
    """An abbreviation such as ABC: two letters of the place, one of the ending."""
    place, ending = club.rsplit(" ", 1)
    return (place[:2] + ending[0]).upper()
