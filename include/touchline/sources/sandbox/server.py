"""The HTTP server of the simulated world: season files, fixtures.csv, and its clock."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl

from touchline.sources.football_data_uk.addresses import FIXTURES, read_endpoint, season_start_year, uk_day
from touchline.sources.sandbox.clock import WorldClock
from touchline.sources.sandbox.world import SandboxWorld

FIXTURE_DAYS = 10
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BOM_SINCE = 2024
TIMES = ("kickoff_at", "prices_collected_at", "result_published_at")


class SandboxServer(ThreadingHTTPServer):
    """Serves one world at its clock's present. Use as a context manager, or `serve_forever`."""

    daemon_threads = True

    def __init__(self, host: str, port: int, seed: int, home: Path) -> None:
        super().__init__((host, port), _Handler)
        self.world = SandboxWorld(seed)
        self.clock = WorldClock(home / "sandbox.json")
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """`http://host:port` it listens on."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def body(self, endpoint: str) -> bytes | None:
        """The bytes of a file at the clock's present; None when the file does not exist (yet)."""
        now = self.clock.now
        file = read_endpoint(endpoint)
        with self._lock:
            if endpoint == FIXTURES:
                return self._fixtures(now)
            if file is None or now.date() < date(file.start_year, 8, 1):
                return None
            season = self.world.season(file.start_year)
        if season is None or file.competition not in season["Div"]:
            return None
        played = season.filter((pl.col("Div") == file.competition) & (pl.col("result_published_at") <= now))
        if played.is_empty():
            return None
        body = _csv(_in_provider_order(played))
        return BYTE_ORDER_MARK + body if file.start_year >= BOM_SINCE else body

    def _fixtures(self, now: datetime) -> bytes:
        season = self.world.season(season_start_year(uk_day(now)))
        assert season is not None, "the clock never stands before the first season"
        ahead = season.filter(
            (pl.col("result_published_at") > now)
            & (pl.col("kickoff_at") <= now + timedelta(days=FIXTURE_DAYS))
        )
        columns = _in_provider_order(ahead).columns
        after_the_match = columns[columns.index("FTHG") : columns.index("AR") + 1]
        prices = columns[columns.index("AR") + 1 :]
        is_collected = pl.col("prices_collected_at") <= now
        hidden = ahead.with_columns(
            *(
                pl.when(is_collected & ~pl.lit(value=_is_closing(name))).then(pl.col(name)).alias(name)
                for name in prices
            ),
            Referee=pl.lit(""),
        ).drop([name for name in after_the_match if name != "Referee"])
        return _csv(_in_provider_order(hidden))


class _Handler(BaseHTTPRequestHandler):
    server: SandboxServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/clock":
            self._answer_json({"now": self.server.clock.now.isoformat(), "seed": self.server.world.seed})
            return
        body = self.server.body(self.path.lstrip("/"))
        if body is None:
            self._answer(HTTPStatus.NOT_FOUND, b"Not Found", "text/plain")
            return
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if self.headers.get("If-None-Match") == etag:
            self._answer(HTTPStatus.NOT_MODIFIED, b"", "text/csv", etag)
            return
        self._answer(HTTPStatus.OK, body, "text/csv", etag)

    def do_POST(self) -> None:
        if self.path != "/clock":
            self._answer(HTTPStatus.NOT_FOUND, b"Not Found", "text/plain")
            return
        try:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            clock = self.server.clock
            moment = (
                datetime.fromisoformat(asked["now"])
                if "now" in asked
                else clock.now + timedelta(days=float(asked["advance_days"]))
            )
            clock.move_to(moment)
        except (ValueError, KeyError, TypeError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, f"{error}".encode(), "text/plain")
            return
        self._answer_json({"now": clock.now.isoformat()})

    def _answer_json(self, value: object) -> None:
        self._answer(HTTPStatus.OK, json.dumps(value).encode(), "application/json")

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str, etag: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if etag is not None:
            self.send_header("ETag", etag)
            self.send_header("Last-Modified", format_datetime(self.server.clock.now, usegmt=True))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        sys.stdout.write(f"{self.address_string()} {format % args}\n")


def _in_provider_order(frame: pl.DataFrame) -> pl.DataFrame:
    first = ["Div", "Date", "Time", "HomeTeam", "AwayTeam"]
    return frame.select(*first, *(name for name in frame.columns if name not in (*first, *TIMES)))


def _is_closing(name: str) -> bool:
    code = name.rstrip("HDAh").removesuffix(">2.5").removesuffix("<2.5")
    return code.endswith("C") and name not in ("VCH", "VCD", "VCA")


def _csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(line_terminator="\r\n").encode()
