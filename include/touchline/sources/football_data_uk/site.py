"""The site over HTTP: football-data.co.uk itself, or the sandbox that serves the same files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from touchline.sources.configuration import SourceConfiguration
from touchline.sources.football_data_uk.addresses import FIXTURES, SeasonFile, season_start_year, uk_day
from touchline.sources.football_data_uk.new_leagues import CODES, endpoint_of
from touchline.sources.football_data_uk.parse import parse
from touchline.sources.http import Allowance, ProviderClient, RawReply, Verdict, judge_status
from touchline.sources.source import Kind, NoReply, Observations, Reply, Request


class SiteDialect:
    """Plain files: no key, no stated limits, and no information beyond the status."""

    key_header = None
    key_parameter = None

    def judge(self, reply: RawReply) -> Verdict:
        """The verdict by status."""
        return judge_status(reply)

    def allowance(self, reply: RawReply) -> Allowance:
        """Nothing, because the site does not say."""
        del reply
        return Allowance()


class SiteSource:
    """Season files of the last `history_seasons` seasons and the list of fixtures."""

    name = "football_data_uk"
    ignored: Sequence[str] = ()

    def __init__(self, configuration: SourceConfiguration, client: ProviderClient) -> None:
        self._configuration = configuration
        self._client = client

    def requests(self, kinds: Sequence[Kind], as_of: datetime) -> Sequence[Request]:
        """Season files, oldest first, and the list of fixtures.

        The files of the current season are requested even for fixtures alone: the list covers only a few days, but
        these files name all teams, which is needed to match other sources' names.
        """
        newest = season_start_year(uk_day(as_of))
        first = newest - self._configuration.history_seasons if "scores" in kinds else newest
        wanted = self._files(range(first, newest + 1)) if {"scores", "fixtures"} & set(kinds) else []
        if "fixtures" in kinds or "odds" in kinds:
            wanted.append(FIXTURES)
        return [Request(self.name, endpoint) for endpoint in wanted]

    def backfill(self, kinds: Sequence[Kind], start: date, end: date) -> Sequence[Request]:
        """The files of the seasons that the days touch, oldest first. They hold both results and prices."""
        if not kinds:
            return []
        years = range(season_start_year(start), season_start_year(end) + 1)
        return [Request(self.name, endpoint) for endpoint in self._files(years)]

    def more(self, request: Request, body: bytes) -> Sequence[Request]:
        """Nothing, because files have no pages."""
        del request, body
        return []

    def fetch(self, request: Request, as_of: datetime, validators: Mapping[str, str]) -> Reply | NoReply:
        """One GET with the validators of the last body. Raises SourceUnavailable when it fails for good."""
        del as_of
        return self._client.get(request, validators)

    def parse(self, request: Request, body: bytes) -> Observations:
        """Read a body of this source."""
        return parse(request.endpoint, body, self._configuration.competitions.values())

    def _files(self, years: Sequence[int]) -> list[str]:
        """Season files of these start years, oldest first; then the files that hold all seasons of a country."""
        codes = list(self._configuration.competitions.values())
        return [
            *(SeasonFile(code, year).endpoint for year in years for code in codes if code not in CODES),
            *(endpoint_of(code) for code in codes if code in CODES),
        ]
