"""What access costs a request: processor time of the middleware, against the same application without it."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from starlette.types import ASGIApp, Receive, Scope, Send

from touchline.accounts.keys import digest_of
from touchline.serving.access import Access, AccessControl
from touchline.settings import Access as Given
from touchline.settings import Settings

N_REQUESTS = 20_000
N_ROUNDS = 7
PREFIX, SECRET = "tl_benchmar", secrets.token_urlsafe(32)
# More than a day of asking reaches.
UNREACHED = "1000000000/day"
HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"x"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip"),
]
WITH_KEY = (b"authorization", f"Bearer {PREFIX}_{SECRET}".encode())


async def answer(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"2:1"})


async def read_key(*_: Any) -> Sequence[Mapping[str, Any]]:
    """The row that the database would give, once in three seconds."""
    row = {
        "scopes": ["read"],
        "rate_limit": None,
        "expires_at": None,
        "revoked_at": None,
        "secret_expires_at": None,
    }
    return [{**row, "prefix": PREFIX, "secret_hash": digest_of(SECRET)}]


async def microseconds(app: ASGIApp, *more: tuple[bytes, bytes]) -> float:
    """Processor time of one request, the least of several rounds."""
    scope = {
        "type": "http", "method": "GET", "path": "/v1/predictions/upcoming", "query_string": b"competition=E0",
        "client": ("192.0.2.7", 50000), "headers": [*HEADERS, *more],
    }  # fmt: skip

    async def nothing(*_: Any) -> Any:
        return None

    rounds = []
    for _ in range(N_ROUNDS):
        started = time.process_time()
        for _ in range(N_REQUESTS):
            await app(dict(scope), nothing, nothing)
        rounds.append(time.process_time() - started)
    return 1e6 * min(rounds) / N_REQUESTS


async def measure(home: Path) -> None:
    bare = await microseconds(answer)
    console = Console()
    for told, given, headers in (
        ("no key, no limit", Given(anonymous=True), ()),
        ("no key, a limit", Given(anonymous=True, address_limit=UNREACHED), ()),
        ("a key, no limit", Given(), (WITH_KEY,)),
        ("a key, a limit", Given(key_limit=UNREACHED), (WITH_KEY,)),
    ):
        control = AccessControl(Settings(home=home, access=given))
        control.keys._fetch = read_key
        cost = await microseconds(Access(answer, control), *headers) - bare
        console.print(f"{told}: {cost:.1f} µs a request, beside {bare:.1f} µs of the rest")


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(measure(Path(home)))


if __name__ == "__main__":
    main()
