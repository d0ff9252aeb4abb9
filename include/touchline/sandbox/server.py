"""The HTTP server of the simulated world: four providers, its clock, and its faults."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from touchline.sandbox.answer import Answer, Asked, Present, json_answer
from touchline.sandbox.answers import Answers, Reply
from touchline.sandbox.clock import WorldClock
from touchline.sandbox.faults import DEFAULT_RATE, FaultBoard
from touchline.sandbox.world import SandboxWorld
from touchline.sources.configuration import SourcesConfiguration, read_configuration
from touchline.sources.simulated import (
    CLOCK_HEADER,
    FOOTBALL_DATA_ORG,
    THE_ODDS_API,
    UK_FILES,
    split_path,
)

KEY_PARAMETER: Final = "apiKey"
KEY_HEADERS: Final = {FOOTBALL_DATA_ORG: "X-Auth-Token"}
USUAL_KEY_HEADER: Final = "x-apisports-key"


class SandboxServer(ThreadingHTTPServer):
    """Serves one world at its clock's present. Use as a context manager, or `serve_forever`."""

    daemon_threads = True

    def __init__(
        self,
        host: str,
        port: int,
        seed: int,
        home: Path,
        configuration: SourcesConfiguration | None = None,
    ) -> None:
        super().__init__((host, port), _Handler)
        self.world = SandboxWorld(seed)
        self.clock = WorldClock(home / "sandbox.json")
        self.faults = FaultBoard(seed)
        self.answers = Answers(self.world, configuration or read_configuration(), self.faults)

    @property
    def address(self) -> str:
        """`http://host:port` it listens on."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def body(self, endpoint: str) -> bytes | None:
        """The bytes of a file at the clock's present, without faults; None when it does not exist (yet)."""
        answer = self.answers.answer(Asked(UK_FILES, endpoint, {}), Present(self.clock.now))
        return answer.body if answer.status == HTTPStatus.OK else None


class _Handler(BaseHTTPRequestHandler):
    server: SandboxServer
    protocol_version = "HTTP/1.1"
    # Header and body are two small writes; waiting for the first to be acknowledged costs 40 ms a reply.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        server = self.server
        if self.path == "/clock":
            self._answer_json({"now": server.clock.now.isoformat(), "seed": server.world.seed})
        elif self.path == "/faults":
            self._answer_json(server.faults.state())
        else:
            asked = self._asked()
            reply = server.answers.reply(asked, server.clock.now, self.headers.get("If-None-Match"))
            if reply.faults:
                names = ", ".join(sorted(reply.faults))
                sys.stdout.write(f"{self.address_string()} fault {names} hit GET {asked.label}\n")
            self._send(reply)

    def do_POST(self) -> None:
        actions = {"/clock": self._move_clock, "/faults": self._switch_faults}
        if self.path not in actions:
            self._answer(Answer(HTTPStatus.NOT_FOUND, b"Not Found", "text/plain"))
            return
        try:
            state = actions[self.path](self._posted())
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            self._answer(Answer(HTTPStatus.BAD_REQUEST, f"{error}".encode(), "text/plain"))
            return
        self._answer_json(state)

    def _posted(self) -> dict[str, Any]:
        posted = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if not isinstance(posted, dict):
            raise TypeError("an object was expected")
        return posted

    def _move_clock(self, asked: dict[str, Any]) -> dict[str, Any]:
        clock = self.server.clock
        moment = (
            datetime.fromisoformat(asked["now"])
            if "now" in asked
            else clock.now + timedelta(days=float(asked["advance_days"]))
        )
        clock.move_to(moment)
        return {"now": clock.now.isoformat()}

    def _switch_faults(self, asked: dict[str, Any]) -> dict[str, Any]:
        pause = asked.get("slow_seconds")
        self.server.faults.switch(
            asked["name"], float(asked.get("rate", DEFAULT_RATE)), None if pause is None else float(pause),
            asked.get("source"),
        )  # fmt: skip
        return self.server.faults.state()

    def _asked(self) -> Asked:
        target = urlsplit(self.path)
        source, path = split_path(target.path.lstrip("/"))
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        key = query.pop(KEY_PARAMETER, None)
        if source != THE_ODDS_API:
            key = self.headers.get(KEY_HEADERS.get(source, USUAL_KEY_HEADER))
        return Asked(source, path, query, has_key=bool(key))

    def _answer_json(self, value: object) -> None:
        self._answer(json_answer(value))

    def _answer(self, answer: Answer) -> None:
        now = self.server.clock.now
        self._send(Reply(answer, now, now, len(answer.body)))

    def _send(self, reply: Reply) -> None:
        answer = reply.answer
        self.send_response_only(answer.status)
        self.log_request(answer.status)
        self.send_header("Date", format_datetime(reply.dated_at, usegmt=True))
        self.send_header(CLOCK_HEADER, reply.told_at.isoformat())
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.pause_seconds:
            time.sleep(reply.pause_seconds)
        self.wfile.write(answer.body[: reply.sent])
        if reply.sent < len(answer.body):
            self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """One line a request; the key in a query is no business of a log."""
        del size
        query = urlsplit(self.path).query
        shown = self.path
        if KEY_PARAMETER in query:
            shown = f"{self.path.split('?', 1)[0]}?" + "&".join(
                part for part in query.split("&") if not part.startswith(f"{KEY_PARAMETER}=")
            )
        self.log_message('"%s %s" %s', self.command, shown.rstrip("?"), str(int(code)))

    def log_message(self, format: str, *args: object) -> None:
        sys.stdout.write(f"{self.address_string()} {format % args}\n")
