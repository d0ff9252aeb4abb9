"""Who may ask what, and how often: keys, scopes, limits and sizes, before any route is looked for."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable
from functools import cached_property, lru_cache
from typing import Any

import asyncpg
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from touchline.accounts.key_cache import KeyCache
from touchline.accounts.keys import KEY, UNKNOWN, Key, digest_of
from touchline.accounts.rates import SETTLE_SECONDS, CountsInPostgres, CountsInRedis, Rates, Window, limits_of
from touchline.accounts.sessions import COOKIE, read_session
from touchline.accounts.uses import Uses
from touchline.errors import DatabaseUnavailable
from touchline.serving.board import render
from touchline.serving.database import Reader
from touchline.serving.http import is_page
from touchline.serving.problems import NOT_MIGRATED, RETRY_AFTER, problem_reply
from touchline.serving.visitor import CALLER, Visitor
from touchline.settings import NO_LIMIT, USUAL_ADDRESS_LIMIT, USUAL_KEY_LIMIT, Settings

MOST_URL_BYTES = 8 * 1024
MOST_BODY_BYTES = 64 * 1024
# Whoever sends it byte by byte does not hold a request open.
MOST_BODY_SECONDS = 10.0
# What an orchestrator asks counts for nobody; the documentation says how to get a key, and who signs in has one.
UNCOUNTED = "/v1/health/live"
OPEN = frozenset(
    {
        UNCOUNTED, "/v1/health/ready", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json", "/sign-in",
        "/sign-out",
    }
)  # fmt: skip
OPEN_FILES = "/static-offline-docs/"
# Of a user: each needs a key, whoever may read the rest.
OF_A_USER = "/v1/me/"
PROFILE = "/v1/me/profile"
WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
GET_A_KEY = "ask the operator for one (`touchline keys create`) and send it as `Authorization: Bearer tl_...`"
# One subnet of IPv6 is one household: a machine in it has any address it likes.
IPV6_SUBNET = 64
CORS: dict[str, Any] = {
    "allow_methods": ["GET", "HEAD", "PUT"],
    "allow_headers": ["Authorization", "X-API-Key", "Content-Type"],
    "expose_headers": ["RateLimit", "RateLimit-Policy", "Retry-After"],
}
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="touchline"'}

log = logging.getLogger(__name__)


def sign_in_page(settings: Settings, to: str = "/", told: str = "") -> str:
    """The form that a browser signs in with, for a page of ours to go `to`; `told` is what was wrong."""
    return render("sign_in.html", settings, Visitor(), to=to, told=told, is_simulated=settings.is_simulated)


class AccessControl:
    """What one process knows of keys and counts; within its block it settles with the database and other processes."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        given, is_private = settings.access, settings.is_on_loopback
        self.settings = settings
        self.store = Reader(settings, "access")
        self.keys = KeyCache(self.store.rows)
        self.uses = Uses(self.store.rows, clock)
        self.rates = Rates(
            CountsInRedis(given.redis_url, settings.warehouse_database)
            if given.redis_url
            else CountsInPostgres(self.store.rows),
            clock,
        )
        self.clock = clock
        self.anonymous = is_private if given.anonymous is None else given.anonymous
        usual = (NO_LIMIT, NO_LIMIT) if is_private else (USUAL_KEY_LIMIT, USUAL_ADDRESS_LIMIT)
        self.key_limits = limits_of(given.key_limit or usual[0])
        self.address_limits = limits_of(given.address_limit or usual[1])
        self._told: dict[str, bool] = {}

    @cached_property
    def password(self) -> str:
        """What sessions are signed with, beside the key."""
        return self.settings.secrets["access"]

    async def __aenter__(self) -> AccessControl:
        """Settle from now on."""
        self._settling = asyncio.create_task(self._settle())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what was counted, and leave the database."""
        self._settling.cancel()
        await asyncio.wait([self._settling])
        await self._attempt("the last uses of keys are lost", self.uses.write)
        await self._attempt("the last requests are not counted", self.rates.settle)
        await self.store.close()

    async def _settle(self) -> None:
        n = 0
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            n += 1
            await self._attempt("requests are counted by each process alone", self.rates.settle)
            if n % round(1 / SETTLE_SECONDS) == 0:
                await self._attempt("uses of keys wait to be written", self.uses.write)

    async def _attempt(self, consequence: str, work: Callable[[], Awaitable[None]]) -> None:
        # Whatever it is, requests are answered, and the next attempt makes up for this one.
        try:
            await work()
        except Exception as error:
            if not self._told.get(consequence):
                log.warning("%s until this is over: %s: %s", consequence, type(error).__name__, error)
            self._told[consequence] = True
        else:
            self._told[consequence] = False


class _Visit:
    """What was found of one request: its key, and the limit that counts it."""

    __slots__ = ("key", "window")

    def __init__(self) -> None:
        self.key: Key | None = None
        self.window: Window | None = None


class Access:
    """ASGI middleware that lets in whoever has a key that `control` knows, and everybody where that is allowed.

    It waits for nothing when it knows the key already.
    """

    def __init__(self, app: ASGIApp, control: AccessControl) -> None:
        self._app = app
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit, answer = _Visit(), self._app
        try:
            await self._let_in(scope, visit)
        except HTTPException as refusal:
            answer = self._refused(scope, refusal)
        except DatabaseUnavailable as error:
            answer = problem_reply(503, str(error), headers=RETRY_AFTER)
        except asyncpg.UndefinedTableError:
            answer = problem_reply(503, NOT_MIGRATED, headers=RETRY_AFTER)
        if scope["method"] not in WITHOUT_BODY:
            receive = _bounded(receive)
        if visit.key is None and visit.window is None:
            await answer(scope, receive, send)
        else:
            await self._watch(answer, visit, scope, receive, send)

    def _refused(self, scope: Scope, refusal: HTTPException) -> ASGIApp:
        """What is told to who is not let in: somebody before a browser is asked for a key, a program gets a problem."""
        accepted = b",".join(value for name, value in scope["headers"] if name == b"accept")
        if refusal.status_code == 401 and is_page(scope["path"]) and b"text/html" in accepted:
            to = scope["path"] + (
                f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
            )
            page = sign_in_page(self._control.settings, to)
            return HTMLResponse(page, 401, {**(refusal.headers or {}), "Cache-Control": "no-store"})
        return problem_reply(refusal.status_code, refusal.detail, headers=refusal.headers)

    async def _let_in(self, scope: Scope, visit: _Visit) -> None:
        """Note in `visit` who asks and what counts it.

        Raises HTTPException when the request is refused, and what the database raises when a key has to be read.
        """
        path = scope["path"]
        if len(path) + len(scope["query_string"]) > MOST_URL_BYTES:
            raise HTTPException(414, f"the address is longer than {MOST_URL_BYTES} bytes: ask for less")
        presented, cookie = _read_headers(scope)
        if path == UNCOUNTED:
            return
        if path in OPEN or path.startswith(OPEN_FILES):
            self._count(scope, visit, None)
            return
        objection = None
        if presented is not None:
            visit.key, objection = await self._identify(presented, scope, visit)
        elif cookie is not None and scope["method"] == "GET":
            # A browser sends it whoever made it ask; what is only read, no other site gets to see.
            visit.key = await self._resume(cookie, scope, visit)
        self._count(scope, visit, visit.key if objection is None else None)
        if objection is not None:
            raise HTTPException(401, f"this key {objection}", CHALLENGE)
        is_of_a_user = path.startswith(OF_A_USER)
        if visit.key is None:
            if is_of_a_user or not self._control.anonymous:
                raise HTTPException(401, f"{path} needs a key: {GET_A_KEY}", CHALLENGE)
            return
        needed = ("profile",) if path == PROFILE else ("profile", "read") if is_of_a_user else ("read",)
        for scope_needed in needed:
            if scope_needed not in visit.key.scopes:
                raise HTTPException(
                    403,
                    f"{path} needs a key with the scope {scope_needed}, and {visit.key.prefix} has "
                    f"{', '.join(sorted(visit.key.scopes))}: {GET_A_KEY}",
                )
        scope[CALLER] = visit.key

    async def _identify(self, presented: str, scope: Scope, visit: _Visit) -> tuple[Key | None, str | None]:
        """The key with this text, and what is wrong with it."""
        control, found = self._control, KEY.fullmatch(presented)
        if found is None:
            return None, f"is not whole (tl_, 8 characters, _, 43 characters): {GET_A_KEY}"
        prefix, secret = found.groups()
        key = await self._find(prefix, scope, visit)
        objection = UNKNOWN if key is None else key.objection_to(digest_of(secret), control.clock())
        if objection is None:
            return key, None
        # Only who has a key's secret is its user.
        return None if objection == UNKNOWN else key, f"{objection}: {GET_A_KEY}"

    async def _resume(self, cookie: str, scope: Scope, visit: _Visit) -> Key | None:
        """The key that signed in; None when the session has ended, or is none of ours."""
        session = read_session(cookie)
        if session is None:
            return None
        key = await self._find(session.prefix, scope, visit)
        is_valid = key is not None and session.is_of(key, self._control.password, self._control.clock())
        return key if is_valid else None

    async def _find(self, prefix: str, scope: Scope, visit: _Visit) -> Key | None:
        control = self._control
        if not control.keys.has_met(prefix) and control.address_limits:
            # Who tries one prefix after the other costs no more questions to the database than others.
            window = control.rates.tightest(_subject(scope), control.address_limits)
            if window.left == 0:
                visit.window = window
                raise _too_many(window, control.clock())
        return await control.keys.find(prefix)

    def _count(self, scope: Scope, visit: _Visit, key: Key | None) -> None:
        control = self._control
        if key is None:
            limits, subject = control.address_limits, _subject(scope)
        else:
            limits = control.key_limits if key.rate_limit is None else limits_of(key.rate_limit)
            subject = key.prefix
        if limits:
            has_room, visit.window = control.rates.admit(subject, limits)
            if not has_room:
                raise _too_many(visit.window, control.clock())

    async def _watch(
        self, answer: ASGIApp, visit: _Visit, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer, say what is left of the limit, and note the use of the key."""
        status, window, key = 500, visit.window, visit.key

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if window is not None:
                    message["headers"] = [*message["headers"], *window.headers(self._control.clock())]
            await send(message)

        try:
            await answer(scope, receive, told)
        finally:
            if key is not None:
                # The route's pattern: of ids there is no end.
                route = getattr(scope.get("route"), "path", "other")
                self._control.uses.note(key.prefix, route, status)


def _read_headers(scope: Scope) -> tuple[str | None, str | None]:
    """The key and the session in the headers, None where there is none.

    Raises HTTPException when they announce too large a body.
    """
    key = session = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, rest = value.partition(b" ")
            if scheme.lower() == b"bearer":
                key = rest.strip().decode("latin-1")
        elif name == b"x-api-key":
            if key is None:
                key = value.decode("latin-1")
        elif name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                cookie, _, text = part.strip().partition("=")
                if cookie == COOKIE:
                    session = text
        elif name == b"content-length" and value.isdigit() and int(value) > MOST_BODY_BYTES:
            raise _too_large()
    return key, session


def _bounded(receive: Receive) -> Receive:
    """The same body, refused once it is too large or too slow; a body that comes in chunks announces no length."""
    n_bytes, deadline = 0, asyncio.get_running_loop().time() + MOST_BODY_SECONDS
    is_whole = False

    async def bounded() -> Message:
        nonlocal n_bytes, is_whole
        if is_whole:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(
                408, f"the body did not come within {MOST_BODY_SECONDS:g} s: send it at once"
            ) from error
        n_bytes += len(message.get("body", b""))
        if n_bytes > MOST_BODY_BYTES:
            raise _too_large()
        is_whole = not message.get("more_body", False)
        return message

    return bounded


def _too_large() -> HTTPException:
    return HTTPException(413, f"the body is larger than {MOST_BODY_BYTES} bytes: send less")


def _too_many(window: Window, now: float) -> HTTPException:
    wait = window.seconds_left(now)
    return HTTPException(
        429, f"{window.limit.amount} requests in {window.seconds} s are allowed: ask again in {wait} s",
        {"Retry-After": str(wait)},
    )  # fmt: skip


def _subject(scope: Scope) -> str:
    client = scope.get("client")
    return "unknown" if client is None else _address(client[0])


@lru_cache(maxsize=8192)
def _address(host: str) -> str:
    """What is counted as one address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_SUBNET), strict=False))
    return host
