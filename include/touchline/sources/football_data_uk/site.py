"""The site over HTTP: football-data.co.uk itself, or the sandbox that serves the same files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from touchline.errors import SourceUnavailable
from touchline.identity.competitions import competitions
from touchline.sources.football_data_uk.addresses import FIXTURES, SeasonFile, season_start_year, uk_day
from touchline.sources.football_data_uk.new_leagues import CODES, endpoint_of
from touchline.sources.football_data_uk.parse import parse
from touchline.sources.source import Kind, NoReply, Observations, Reply, Request

LIVE_ADDRESS = "https://www.football-data.co.uk"
TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=10.0, pool=5.0)
ATTEMPTS = 4


class _Retryable(Exception):
    """A failure that may pass: no connection, a time-out, a server error, too many requests."""


class SiteSource:
    """Season files of the last `n_seasons` seasons and the list of fixtures, over HTTP."""

    ignored: Sequence[str] = ()

    def __init__(self, name: str, address: str, *, is_simulated: bool, n_seasons: int) -> None:
        self.name = name
        self._is_simulated = is_simulated
        self._n_seasons = n_seasons
        self._client = httpx.Client(
            base_url=address,
            timeout=TIMEOUT,
            follow_redirects=True,
            headers={"User-Agent": "touchline (batch collection; see project README)"},
        )

    def requests(self, kinds: Sequence[Kind], as_of: datetime) -> Sequence[Request]:
        """Season files, oldest first, and the list of fixtures."""
        newest = season_start_year(uk_day(as_of))
        wanted = self._files(range(newest - self._n_seasons, newest + 1)) if "scores" in kinds else []
        if "fixtures" in kinds or "odds" in kinds:
            wanted.append(FIXTURES)
        return [Request(self.name, endpoint) for endpoint in wanted]

    def backfill(self, kinds: Sequence[Kind], start: date, end: date) -> Sequence[Request]:
        """The files of the seasons that the days touch, oldest first; they hold results and prices alike."""
        if not kinds:
            return []
        years = range(season_start_year(start), season_start_year(end) + 1)
        return [Request(self.name, endpoint) for endpoint in self._files(years)]

    def more(self, request: Request, body: bytes) -> Sequence[Request]:
        """Nothing: files have no pages."""
        del request, body
        return []

    def fetch(self, request: Request, as_of: datetime, validators: Mapping[str, str]) -> Reply | NoReply:
        """One GET with the validators of the last body, retried where that can help.

        Raises SourceUnavailable for what does not pass: refused connections, errors that stay, cut replies.
        """
        del as_of
        headers = {
            header: validators[name]
            for name, header in (("etag", "If-None-Match"), ("last_modified", "If-Modified-Since"))
            if name in validators
        }
        attempts = Retrying(
            retry=retry_if_exception_type(_Retryable),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(initial=0.3, max=8),
            reraise=True,
        )
        try:
            reply = attempts(self._get, request.endpoint, headers)
        except _Retryable as failure:
            raise SourceUnavailable(
                f"{self._client.base_url}{request.endpoint} did not answer after {ATTEMPTS} attempts: {failure}; "
                "check the network, or try again later"
            ) from failure
        if reply.status_code == httpx.codes.NOT_MODIFIED:
            return NoReply("not_modified")
        if reply.status_code == httpx.codes.NOT_FOUND:
            return NoReply("not_offered")
        if reply.status_code != httpx.codes.OK:
            raise SourceUnavailable(f"{reply.url} answered {reply.status_code}; check the address")
        named = {"etag": reply.headers.get("etag"), "last_modified": reply.headers.get("last-modified")}
        return Reply(
            body=reply.content,
            http_status=reply.status_code,
            content_type=reply.headers.get("content-type"),
            validators={name: value for name, value in named.items() if value},
        )

    def parse(self, request: Request, body: bytes) -> Observations:
        """Read a body of this source."""
        return parse(request.endpoint, body)

    def _files(self, years: Sequence[int]) -> list[str]:
        """Season files of these start years, oldest first; then the files that hold all seasons of a country."""
        codes = [item.code for item in competitions().values() if item.is_simulated == self._is_simulated]
        return [
            *(SeasonFile(code, year).endpoint for year in years for code in codes if code not in CODES),
            *(endpoint_of(code) for code in codes if code in CODES),
        ]

    def _get(self, endpoint: str, headers: Mapping[str, str]) -> httpx.Response:
        try:
            reply = self._client.get(endpoint, headers=dict(headers))
        except httpx.TransportError as error:
            raise _Retryable(f"{type(error).__name__}: {error}") from error
        if reply.status_code == httpx.codes.TOO_MANY_REQUESTS or reply.is_server_error:
            raise _Retryable(f"status {reply.status_code}")
        return reply
