"""A small server that takes OpenLineage events as Marquez does: POST /api/v1/lineage."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """Where it listens, and what it has got: bodies in order, and the headers of the last."""

    url: str = ""
    status: int = 201
    events: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    n_requests: int = 0


@contextmanager
def receiving(status: int = 201) -> Iterator[Receiver]:
    """Listen until the block ends; with a status other than 201 every event is refused."""
    received = Receiver(status=status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.n_requests += 1
            received.headers = dict(self.headers)
            is_right = self.path == "/api/v1/lineage" and received.status == 201
            if is_right:
                received.events.append(json.loads(body))
            self.send_response(received.status if self.path == "/api/v1/lineage" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield received
    server.shutdown()
    server.server_close()
    thread.join()
