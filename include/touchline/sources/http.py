"""HTTP with a provider: keep its limits, interpret its errors, and never show its key.

The protocol `Dialect` holds what differs between providers: where the key goes, what a reply means, and what it says
about limits.
"""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Literal, Protocol

import httpx
from pydantic import SecretStr
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from touchline.errors import SourceAsksToWait, SourceUnavailable
from touchline.sources.source import NoReply, Reply, Request

TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=10.0, pool=5.0)
ATTEMPTS = 4
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.3, 8.0
# If a provider asks for a longer pause than this, nobody waits for it in a request.
LONGEST_PATIENCE_SECONDS = 65.0
USER_AGENT = "touchline (batch collection; see project README)"
# Its messages contain the whole address, and so any key in the query.
logging.getLogger("httpx").setLevel(logging.WARNING)
VALIDATORS = (("etag", "If-None-Match"), ("last_modified", "If-Modified-Since"))


@dataclass(frozen=True)
class RawReply:
    """A reply as it came; names of headers are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Verdict:
    """What a reply means.

    `answered`: the body is what was asked for. `not_offered`: the provider does not have it. `again`: the failure may
    pass, after `wait_seconds` where the provider says so. `quota_spent`: no more calls before `until` (UTC; None when
    the provider does not say). `refused`: asking again will not help. `reason` contains no key.
    """

    kind: Literal["answered", "not_offered", "again", "quota_spent", "refused"]
    reason: str = ""
    wait_seconds: float | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Allowance:
    """What a reply says is left: calls in the current window and when it ends, credits of the day or month."""

    remaining_calls: int | None = None
    window_ends_in_seconds: float | None = None
    remaining_credits: int | None = None


class Dialect(Protocol):
    """The conventions of one provider."""

    key_header: str | None
    key_parameter: str | None

    def judge(self, reply: RawReply) -> Verdict:
        """What a reply means; never called for status 304."""

    def allowance(self, reply: RawReply) -> Allowance:
        """What is left, according to its headers."""


class Governor(Protocol):
    """Keeps a provider's limits across processes, and its circuit breaker."""

    def before_call(self, request: Request) -> float:
        """Seconds to wait before asking.

        Raises SourceResting when the quota is spent or the circuit is open, SourceAsksToWait when the provider has
        asked for a pause that is longer than a request waits.
        """

    def after_call(self, request: Request, allowance: Allowance, verdict: Verdict) -> None:
        """Record the call and its outcome."""


class _Again(Exception):
    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


@cache
def _authorities() -> ssl.SSLContext:
    """Whom we trust to vouch for a provider. Every client would read the files anew, for longer than a reply takes."""
    return httpx.create_ssl_context()


@dataclass
class ProviderClient:
    """One provider over HTTP. `get` is the only way to the network: it keeps the pace and retries.

    `observed_at` dates a reply (UTC) as it comes in; without it replies are as of the run.
    """

    name: str
    address: str
    dialect: Dialect
    governor: Governor
    key: SecretStr | None = None
    sleep: Callable[[float], None] = time.sleep
    timeout: httpx.Timeout = field(default_factory=lambda: TIMEOUT)
    observed_at: Callable[[RawReply], datetime] | None = None

    def __post_init__(self) -> None:
        headers = {"User-Agent": USER_AGENT}
        if self.key is not None and self.dialect.key_header is not None:
            headers[self.dialect.key_header] = self.key.get_secret_value()
        self._client = httpx.Client(
            base_url=self.address,
            timeout=self.timeout,
            verify=_authorities(),
            # A redirect would carry the key to another host.
            follow_redirects=self.key is None,
            headers=headers,
        )

    def __enter__(self) -> ProviderClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, request: Request, validators: Mapping[str, str]) -> Reply | NoReply:
        """One GET with the validators of the last body, retried with backoff and jitter where that can help.

        Raises SourceUnavailable, without the key in its message, when that does not help; SourceAsksToWait when the
        provider asks for a longer pause than LONGEST_PATIENCE_SECONDS.
        """
        attempts = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return attempts(self._once, request, validators)
        except _Again as failure:
            raise SourceUnavailable(
                f"{self.name}: {self.address}/{request.endpoint} did not answer after {ATTEMPTS} attempts: "
                f"{failure.verdict.reason}; check the network, or try again later"
            ) from None

    def _once(self, request: Request, validators: Mapping[str, str]) -> Reply | NoReply:
        wait = self.governor.before_call(request)
        try:
            if wait > 0:
                self.sleep(wait)
            raw = self._ask(request, validators)
            verdict, allowance = self._understood(raw)
        except BaseException:
            self.governor.after_call(request, Allowance(), Verdict("refused", "interrupted"))
            raise
        self.governor.after_call(request, allowance, verdict)
        if verdict.kind == "again":
            wait = verdict.wait_seconds or 0.0
            if wait > LONGEST_PATIENCE_SECONDS:
                raise SourceAsksToWait(
                    f"{self.name}: {verdict.reason}; it asks to be left alone for {wait:.0f} seconds", wait
                )
            raise _Again(verdict)
        if verdict.kind == "not_offered":
            return NoReply("not_offered")
        if verdict.kind != "answered" or isinstance(raw, Verdict):
            raise SourceUnavailable(
                f"{self.name}: {self.address}/{request.endpoint} was refused: {verdict.reason}"
            )
        observed_at = None if self.observed_at is None else self.observed_at(raw)
        if raw.status == httpx.codes.NOT_MODIFIED:
            return NoReply("not_modified", observed_at)
        named = {name: raw.headers.get(name.replace("_", "-")) for name, _ in VALIDATORS}
        return Reply(
            body=raw.body,
            http_status=raw.status,
            content_type=raw.headers.get("content-type"),
            validators={name: value for name, value in named.items() if value},
            observed_at=observed_at,
        )

    def _understood(self, raw: RawReply | Verdict) -> tuple[Verdict, Allowance]:
        if isinstance(raw, Verdict):
            verdict, allowance = raw, Allowance()
        elif raw.status == httpx.codes.NOT_MODIFIED:
            verdict, allowance = Verdict("answered"), self.dialect.allowance(raw)
        else:
            verdict, allowance = self.dialect.judge(raw), self.dialect.allowance(raw)
        # A provider's message may quote our key.
        return replace(verdict, reason=self._without_key(verdict.reason)), allowance

    def _ask(self, request: Request, validators: Mapping[str, str]) -> RawReply | Verdict:
        headers = {header: validators[name] for name, header in VALIDATORS if name in validators}
        parameters = {}
        if self.key is not None and self.dialect.key_parameter is not None:
            parameters[self.dialect.key_parameter] = self.key.get_secret_value()
        # Merging the key in keeps the parameters that the endpoint already has.
        url = httpx.URL(request.endpoint).copy_merge_params(parameters)
        try:
            reply = self._client.get(url, headers=headers)
        except (httpx.TransportError, httpx.TooManyRedirects, httpx.DecodingError) as error:
            # The message may contain the address, and so the key; the caller removes it.
            return Verdict("again", f"{type(error).__name__}: {error}")
        return RawReply(
            reply.status_code,
            {k.lower(): v for k, v in reply.headers.items()},
            self._body_without_key(reply.content),
        )

    def _without_key(self, text: str) -> str:
        return text if self.key is None else text.replace(self.key.get_secret_value(), "***")

    def _body_without_key(self, body: bytes) -> bytes:
        """The bytes as received, with our key masked where the provider sends it back: it must not be stored."""
        if self.key is None:
            return body
        secret = self.key.get_secret_value().encode()
        return body.replace(secret, b"*" * len(secret))


def judge_status(reply: RawReply) -> Verdict:
    """The verdict by status alone, for replies whose body says nothing more."""
    if reply.status == httpx.codes.OK:
        return Verdict("answered")
    if reply.status == httpx.codes.NOT_FOUND:
        return Verdict("not_offered", "status 404")
    if reply.status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT) or reply.status >= 500:
        return Verdict("again", f"status {reply.status}", retry_after(reply))
    return Verdict("refused", f"status {reply.status}; check the address")


def retry_after(reply: RawReply) -> float | None:
    """Seconds from a Retry-After header; None without one, or when it gives a date."""
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else None


def _wait(state: RetryCallState) -> float:
    """The pause the provider asks for, or exponential backoff; with jitter, so that processes do not retry in step."""
    failure = state.outcome.exception() if state.outcome is not None else None
    asked = failure.verdict.wait_seconds if isinstance(failure, _Again) else None
    if asked is not None:
        return asked + random.uniform(0, FIRST_WAIT_SECONDS)  # noqa: S311
    longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (state.attempt_number - 1))
    return random.uniform(FIRST_WAIT_SECONDS / 2, longest)  # noqa: S311
