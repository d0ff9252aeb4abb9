"""Who looks at a page: nobody in particular, or the user of a key, who reads in a way of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fastapi import Request

from touchline.accounts.formats import Formats
from touchline.accounts.keys import Key
from touchline.accounts.profiles import Profile, stored_profile
from touchline.database.queries import query
from touchline.errors import DatabaseUnavailable
from touchline.serving.shared import serving_of

# Where a request's scope holds its key.
CALLER: Final = "touchline.key"


@dataclass(frozen=True)
class Visitor:
    """The prefix of the visitor's key, None without one, and how the visitor reads."""

    key: str | None = None
    profile: Profile = field(default_factory=Profile)

    @property
    def formats(self) -> Formats:
        """How numbers, times and prices are written for the visitor."""
        return self.profile.formats

    def likes(self, competition: str, *teams: str) -> bool:
        """Whether the competition, or one of the teams, is a favourite."""
        return competition in self.profile.competitions or not {*teams}.isdisjoint(self.profile.teams)


def key_of(request: Request) -> Key:
    """The key of a request to a route that needs one."""
    key: Key = request.scope[CALLER]
    return key


async def visitor_of(request: Request) -> Visitor:
    """Who looks at a page. While the database is away, everybody reads as those without a profile."""
    if CALLER not in request.scope:
        return Visitor()
    prefix = key_of(request).prefix
    try:
        row = await serving_of(request).accounts.row(query("accounts/sql/profile"), prefix)
    except DatabaseUnavailable:
        row = None
    return Visitor(prefix, stored_profile(row).profile)
