"""A provider on loopback that answers as scripted, and a client of it that never waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import SecretStr

from touchline.sources.http import Allowance, Dialect, ProviderClient, Verdict
from touchline.sources.source import Request

KEY = "s3cret0key0of0a0subscriber0f00d42"


@dataclass
class ScriptedReply:
    """One answer; `sent` cuts the body short of its announced length."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None


@dataclass
class ScriptedProvider:
    """What it was asked (paths with queries, headers in lower case), and how to reach it."""

    address: str
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


class OpenGovernor:
    """Lets every call through at once, and keeps what was said about it."""

    def __init__(self) -> None:
        self.heard: list[tuple[Allowance, Verdict]] = []

    def before_call(self, request: Request) -> float:
        return 0.0

    def after_call(self, request: Request, allowance: Allowance, verdict: Verdict) -> None:
        self.heard.append((allowance, verdict))


@contextmanager
def scripted_provider(replies: Sequence[ScriptedReply]) -> Iterator[ScriptedProvider]:
    """Answers with the replies in turn; the last one stays."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = replies[min(len(provider.paths), len(replies) - 1)]
            provider.paths.append(self.path)
            provider.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: reply.sent])

        def log_message(self, *arguments: object) -> None:
            """Tests read the pytest report, not access lines."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = ScriptedProvider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def client_of(
    address: str, name: str, dialect: Dialect, governor: OpenGovernor | None = None
) -> tuple[ProviderClient, list[float]]:
    """A client with a key, and the pauses it was asked for instead of taking them."""
    pauses: list[float] = []
    client = ProviderClient(
        name, address, dialect, governor or OpenGovernor(), key=SecretStr(KEY), sleep=pauses.append
    )
    return client, pauses
