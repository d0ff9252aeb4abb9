"""A real HTTP server on loopback that answers as told, and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """One reply; `sent` cuts the body short of its announced length."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None


@dataclass
class ScriptedServer:
    """Answers in turn, the last one for ever. `asked` holds (path with query, headers)."""

    answers: Sequence[Answer]
    address: str = ""
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def next_answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        self.asked.append((path, headers))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@contextmanager
def scripted(*answers: Answer) -> Iterator[ScriptedServer]:
    """Serve these answers until the block ends."""
    script = ScriptedServer(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = script.next_answer(self.path, {k.lower(): v for k, v in self.headers.items()})
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: answer.sent])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
