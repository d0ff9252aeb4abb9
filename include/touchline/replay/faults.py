"""What goes wrong in a replay: outages of a few days, and the sandbox's faults of files, at a rate.

Whether a fault hits follows from the seed, the file, the kind of facts and the moment. So a replay that was killed and
goes on meets the same faults as one that was not.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from touchline.clock import RunClock
from touchline.errors import SettingsInvalid, SourceUnavailable
from touchline.landing.collect import Opening
from touchline.sandbox.damage_csv import CHANGES, END, damage_csv
from touchline.sandbox.faults import DEFAULT_RATE, Fault, FaultBoard
from touchline.sandbox.refusals import PAGE
from touchline.settings import Settings
from touchline.sources.football_data_uk.addresses import FIXTURES
from touchline.sources.football_data_uk.folder import IDENTITY_COLUMNS
from touchline.sources.source import KINDS, Kind, NoReply, Observations, Reply, Request, Source

OUTAGE: Final = "outage"
ALL: Final = "all"
# The file that holds each kind; upcoming matches and their prices are in one.
HELD_BY: Final[Mapping[str, Callable[[str], bool]]] = {
    "fixtures": lambda endpoint: endpoint == FIXTURES,
    "scores": lambda endpoint: endpoint != FIXTURES,
    ALL: lambda endpoint: True,
}
REFUSALS: Final[Mapping[Fault, str]] = {
    Fault.SERVER_ERRORS: "503 Service Temporarily Unavailable",
    Fault.RATE_LIMITED: "429 Too Many Requests",
    Fault.CUT: "the connection was closed in the middle of the body",
}
# The others are of providers with pages, credits or clocks, which a folder has not.
OF_FILES: Final = (*REFUSALS, Fault.HTML, Fault.INVALID_JSON, *CHANGES)


@dataclass(frozen=True)
class Injection:
    """One thing that goes wrong, as it was asked for (`text`).

    An outage has the kind of facts (or `all`) and its days (UTC, both included); a fault of files has its rate.
    """

    text: str
    fault: Fault | None = None
    rate: float = 0.0
    kind: str = ""
    first_on: date = date.min
    last_on: date = date.min

    @property
    def begins_at(self) -> datetime:
        """The first instant (UTC) of an outage."""
        return datetime.combine(self.first_on, time(), UTC)

    def is_outage_at(self, moment: datetime) -> bool:
        """Whether this is an outage that lasts at an instant (UTC)."""
        return self.fault is None and self.first_on <= moment.astimezone(UTC).date() <= self.last_on


def read_injections(text: str) -> tuple[Injection, ...]:
    """Read `cut:0.2,outage:odds:2023-01-10..2023-01-12`; raises SettingsInvalid, with what can be written."""
    return tuple(_read(part.strip()) for part in text.split(",") if part.strip())


def _read(text: str) -> Injection:
    name, _, rest = text.partition(":")
    if name == OUTAGE:
        kind, _, days = rest.partition(":")
        first, _, last = days.partition("..")
        try:
            first_on, last_on = date.fromisoformat(first), date.fromisoformat(last or first)
        except ValueError:
            first_on, last_on = date.max, date.min
        if kind not in (*KINDS, ALL) or first_on > last_on:
            raise SettingsInvalid(
                f"{text!r} is no outage: write outage:odds:2023-01-10..2023-01-12, of {', '.join(KINDS)} or {ALL}"
            )
        return Injection(text, kind=kind, first_on=first_on, last_on=last_on)
    fault = next((each for each in OF_FILES if each == name), None)
    try:
        rate = float(rest) if rest else DEFAULT_RATE
    except ValueError:
        rate = 0.0
    if fault is None or not 0 < rate <= 1:
        raise SettingsInvalid(
            f"{text!r} is no fault of a folder's files: write a name and a rate up to 1, such as cut:0.2, or an "
            f"outage; there are {', '.join(OF_FILES)}"
        )
    return Injection(text, fault, rate)


class FaultySource:
    """A source of files as one kind of facts is asked of it while things go wrong."""

    def __init__(
        self, source: Source, kind: Kind, moment: datetime, injections: Sequence[Injection], seed: int
    ) -> None:
        self._source, self._kind, self._moment = source, kind, moment
        self.name, self.ignored = source.name, source.ignored
        self._outages = [each for each in injections if each.is_outage_at(moment)]
        self._board = FaultBoard(seed)
        for each in injections:
            if each.fault is not None:
                self._board.switch(each.fault, each.rate)

    def requests(self, kinds: Sequence[Kind], as_of: datetime) -> Sequence[Request]:
        """Those of the source."""
        return self._source.requests(kinds, as_of)

    def fetch(self, request: Request, as_of: datetime, validators: Mapping[str, str]) -> Reply | NoReply:
        """The source's reply with what has gone wrong with it; raises SourceUnavailable where there is none."""
        for outage in self._outages:
            if outage.kind == self._kind or (
                outage.kind in HELD_BY and HELD_BY[outage.kind](request.endpoint)
            ):
                raise SourceUnavailable(f"{request.endpoint}: does not answer ({outage.text})")
        reply = self._source.fetch(request, as_of, validators)
        if not isinstance(reply, Reply):
            return reply
        body = reply.body
        if request.endpoint == FIXTURES:
            for outage in self._outages:
                if outage.kind == "odds":
                    before = self._source.fetch(request, outage.begins_at, validators)
                    assert isinstance(before, Reply), "a folder always has a list of fixtures"
                    body = _with_prices_of(before.body, body)
        return Reply(self._damaged(request.endpoint, body), content_type=reply.content_type)

    def backfill(self, kinds: Sequence[Kind], start: date, end: date) -> Sequence[Request]:
        """Those of the source."""
        return self._source.backfill(kinds, start, end)

    def more(self, request: Request, body: bytes) -> Sequence[Request]:
        """Those of the source."""
        return self._source.more(request, body)

    def parse(self, request: Request, body: bytes) -> Observations:
        """As the source does."""
        return self._source.parse(request, body)

    def _damaged(self, endpoint: str, body: bytes) -> bytes:
        draw = self._board.draw(f"{self._kind} {endpoint} {self._moment.isoformat()}")
        for fault, said in REFUSALS.items():
            if fault in draw.faults:
                raise SourceUnavailable(f"{endpoint}: {said} (injected {fault})")
        if Fault.HTML in draw.faults:
            return PAGE.encode()
        return damage_csv(_plain(body), draw)[0] if draw.faults else body


def faulty(source: Source, kind: Kind, injections: Sequence[Injection], seed: int) -> Opening:
    """Opens a source of files, for one kind of facts, with what goes wrong at the time of the run."""

    @contextmanager
    def opening(settings: Settings, clock: RunClock, only: Sequence[str]) -> Iterator[list[Source]]:
        del settings, only
        yield [FaultySource(source, kind, clock.as_of, injections, seed)] if injections else [source]

    return opening


def _plain(body: bytes) -> bytes:
    """A file as the damage can be done to it: UTF-8, no quotes, the same number of cells in each row."""
    text = body.decode("utf-8-sig", errors="replace").replace('"', "")
    rows = [line.split(",") for line in text.splitlines() if line.strip(",")]
    width = len(rows[0])
    return (END.join(",".join([*row, *[""] * width][:width]) for row in rows) + END).encode()


def _with_prices_of(before: bytes, now: bytes) -> bytes:
    """A list of fixtures with the prices that an earlier one had, and none for matches that had none then."""
    old, new = (list(csv.DictReader(io.StringIO(body.decode()))) for body in (before, now))
    if not new:
        return now
    known = {_match(row): row for row in old}
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(new[0]), lineterminator="\r\n")
    writer.writeheader()
    for row in new:
        then = known.get(_match(row), {})
        writer.writerow({name: row[name] if name in IDENTITY_COLUMNS else then.get(name, "") for name in row})
    return text.getvalue().encode()


def _match(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("Div", "Date", "HomeTeam", "AwayTeam"))
