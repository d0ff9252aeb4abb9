"""Replies kept for a second: an HTTP cache in the process, which obeys `Cache-Control: max-age` of what it keeps.

It answers what is asked again and again without the database, asks once for what many ask for at the same time, answers
304 to who has the reply already, and compresses what is large for who can read it.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from touchline.serving.http import is_page
from touchline.serving.visitor import CALLER

KEPT_SECONDS: Final = 1.0
# Caches between a user and us would not ask who has a key.
KEPT: Final[Mapping[str, str]] = {"Cache-Control": "private, max-age=1"}
# A browser that signs in or out sees another page.
KEPT_PAGE: Final[Mapping[str, str]] = {**KEPT, "Vary": "Cookie"}
MOST_BYTES: Final = 64 * 2**20
SMALLEST_PACKED: Final = 1000
GZIP_LEVEL: Final = 5
# What a 304 repeats of the reply that it stands for (RFC 9110, 15.4.5).
REPEATED: Final = (b"cache-control", b"etag", b"last-modified", b"vary", b"link")


def tag(*parts: bytes) -> str:
    """A weak ETag: the same content, whatever time it was asked for and however it is compressed."""
    digest = hashlib.blake2b(digest_size=9)
    for part in parts:
        digest.update(part)
    return f'W/"{digest.hexdigest()}"'


@dataclass(frozen=True)
class _Reply:
    start: Message
    body: bytes
    route: Any


class Kept:
    """ASGI middleware. Only replies to GET are kept, and of those the ones that say so."""

    def __init__(self, app: ASGIApp, seconds: float = KEPT_SECONDS) -> None:
        self._app = app
        self._seconds = seconds
        self._kept: dict[tuple[Any, ...], asyncio.Future[_Reply | None]] = {}
        self._n_bytes = 0
        self._since = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        accept = none_match = modified_since = None
        packs = False
        for name, value in scope["headers"]:
            if name == b"accept":
                accept = value
            elif name == b"accept-encoding":
                packs = reads_gzip(value)
            elif name == b"if-none-match":
                none_match = value
            elif name == b"if-modified-since":
                modified_since = value
        # What a page shows depends on who looks at it; other replies are the same for all who may read.
        caller = scope.get(CALLER) if is_page(scope["path"]) else None
        key = (scope["path"], scope["query_string"], caller and caller.prefix, accept, packs)
        now = asyncio.get_running_loop().time()
        if now - self._since >= self._seconds or self._n_bytes > MOST_BYTES:
            self._kept, self._n_bytes, self._since = {}, 0, now
        known = self._kept.get(key)
        reply = None
        if known is not None:
            # Nobody waits for ever for a reply that another one waits for: its own reading has a limit.
            reply = known.result() if known.done() else await asyncio.shield(known)
        if reply is None:
            reply = await self._ask(key, scope, receive, send)
            if reply is None:
                return
        else:
            scope["route"] = reply.route
        await _send(reply, none_match, modified_since, send)

    async def _ask(self, key: tuple[Any, ...], scope: Scope, receive: Receive, send: Send) -> _Reply | None:
        """The reply of the application when it may be kept; None when it was passed on as it came."""
        found: asyncio.Future[_Reply | None] = asyncio.get_running_loop().create_future()
        kept = self._kept
        kept.setdefault(key, found)
        start: Message | None = None
        parts: list[bytes] = []
        reply = None

        async def keep(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _may_be_kept(message):
                start = message
            elif start is not None:
                parts.append(message.get("body", b""))
            else:
                kept.pop(key, None)
                _resolve(found, None)
                await send(message)

        try:
            await self._app(scope, receive, keep)
            if start is not None:
                *_, packs = key
                reply = _whole(start, b"".join(parts), scope.get("route"), packs=packs)
                self._n_bytes += len(reply.body)
        finally:
            if reply is None:
                kept.pop(key, None)
            _resolve(found, reply)
        return reply


def reads_gzip(accept_encoding: bytes) -> bool:
    """Whether a header `Accept-Encoding` lets a reply be compressed with gzip."""
    for part in accept_encoding.split(b","):
        name, _, weight = part.partition(b";")
        if name.strip().lower() in (b"gzip", b"*"):
            return weight.replace(b" ", b"").rstrip(b"0.") != b"q="
    return False


def _whole(start: Message, body: bytes, route: Any, *, packs: bool) -> _Reply:
    headers = MutableHeaders(raw=start["headers"])
    if len(body) >= SMALLEST_PACKED:
        headers.add_vary_header("Accept-Encoding")
        if packs:
            body = gzip.compress(body, GZIP_LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
            headers["Content-Length"] = str(len(body))
    return _Reply(start, body, route)


def _resolve(found: asyncio.Future[_Reply | None], reply: _Reply | None) -> None:
    if not found.done():
        found.set_result(reply)


def _may_be_kept(start: Message) -> bool:
    return start["status"] == 200 and any(
        name == b"cache-control" and b"max-age" in value for name, value in start["headers"]
    )


async def _send(reply: _Reply, none_match: bytes | None, modified_since: bytes | None, send: Send) -> None:
    if (none_match or modified_since) and _has_it(reply, none_match, modified_since):
        headers = [each for each in reply.start["headers"] if each[0] in REPEATED]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    # Middleware around this one adds to the headers.
    await send({**reply.start, "headers": list(reply.start["headers"])})
    await send({"type": "http.response.body", "body": reply.body})


def _has_it(reply: _Reply, none_match: bytes | None, modified_since: bytes | None) -> bool:
    """Whether the asker has this reply already (RFC 9110, 13.1: an ETag goes before a time)."""
    headers = Headers(raw=reply.start["headers"])
    if none_match is not None:
        tags = [each.strip().removeprefix("W/") for each in none_match.decode("latin-1").split(",")]
        return "*" in tags or headers.get("etag", "").removeprefix("W/") in tags
    modified = headers.get("last-modified")
    try:
        since = parsedate_to_datetime((modified_since or b"").decode("latin-1"))
        return modified is not None and parsedate_to_datetime(modified) <= since
    except (TypeError, ValueError, OverflowError):
        return False
