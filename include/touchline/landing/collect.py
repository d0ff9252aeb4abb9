"""Collect: ask a source, store every body, then parse what has not been parsed.

A kill at any point loses nothing: a stored payload without its `payload_parsed` row is parsed by the next run,
and observations are written in the same transaction as that row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from touchline.clock import RunClock
from touchline.database.engine import Connection, connect, scalar
from touchline.errors import PayloadRejected, SourceUnavailable
from touchline.landing import observations, payloads, ticks
from touchline.landing.observations import FileReport
from touchline.landing.payloads import Payload
from touchline.settings import Settings
from touchline.sources.registry import open_source
from touchline.sources.source import KINDS, Kind, NoReply, Observations, Request, Source

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CollectReport:
    """What a collection did. `problems` are bodies that could not be had or used at all."""

    source: str
    as_of: str
    requests: int
    new_payloads: int
    seen_again: int
    not_offered: int
    rows: int
    parsed: int
    rejected: int
    rejected_prices: int
    new_fixtures: int
    new_scores: int
    new_quotes: int
    ignored_files: tuple[str, ...]
    problems: tuple[str, ...]
    files: tuple[FileReport, ...]

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        text = (
            f"{self.source}: {self.requests} requests, {self.new_payloads} new payloads, {self.seen_again} "
            f"unchanged; {self.rows} rows = {self.parsed} parsed + {self.rejected} rejected "
            f"({self.rejected_prices} prices set aside); new: {self.new_fixtures} fixtures, "
            f"{self.new_scores} scores, {self.new_quotes} quotes."
        )
        return (
            text
            if not self.problems
            else f"{text} {len(self.problems)} problems: " + "; ".join(self.problems)
        )


def collect(
    settings: Settings,
    clock: RunClock,
    run_id: str,
    kinds: Sequence[Kind] = KINDS,
    on_progress: Progress | None = None,
) -> CollectReport:
    """Fetch and land everything the source offers for `kinds` at `clock.as_of`.

    `on_progress` is called with ("fetch" or "parse", done, total). A request that fails is reported and the
    rest goes on. Raises SourceUnavailable when the source is not there at all or every request failed, and
    SettingsInvalid when the database holds the other world (simulated against real).
    """
    source = open_source(settings)
    wanted = source.requests(kinds, clock.as_of)
    with connect(settings, "ingest") as connection:
        payloads.claim_world(connection, source.name, is_simulated=settings.is_simulated)
        ticks.ensure_partitions(connection, clock.as_of)
        connection.commit()
        counts, problems = _fetch_all(connection, source, wanted, clock, run_id, on_progress)
        if problems and len(problems) == len(wanted):
            raise SourceUnavailable(problems[0])
        pending = payloads.unparsed(connection, source.name)
        connection.commit()
        files = []
        for done, (payload, found) in enumerate(_parse_ahead(connection, source, pending), start=1):
            report = _land(connection, payload, found, run_id)
            if isinstance(found, PayloadRejected):
                problems.append(str(found))
            elif report is not None:
                files.append(report)
            if on_progress is not None:
                on_progress("parse", done, len(pending))
    return CollectReport(
        source=source.name,
        as_of=clock.as_of.isoformat(),
        requests=len(wanted),
        new_payloads=counts["new"],
        seen_again=counts["seen"],
        not_offered=counts["not_offered"],
        rows=sum(file.rows for file in files),
        parsed=sum(file.parsed for file in files),
        rejected=sum(file.rejected for file in files),
        rejected_prices=sum(file.rejected_prices for file in files),
        new_fixtures=sum(file.new_fixtures for file in files),
        new_scores=sum(file.new_scores for file in files),
        new_quotes=sum(file.new_quotes for file in files),
        ignored_files=tuple(source.ignored),
        problems=tuple(problems),
        files=tuple(files),
    )


def newest_parsed_payload(connection: Connection) -> int:
    """The landing watermark: id of the newest parsed payload, 0 when there is none."""
    return int(scalar(connection, "select coalesce(max(payload_id), 0) from landing.payload_parsed"))


def _fetch_all(
    connection: Connection, source: Source, wanted: Sequence[Request], clock: RunClock, run_id: str,
    on_progress: Progress | None,
) -> tuple[dict[str, int], list[str]]:  # fmt: skip
    counts = {"new": 0, "seen": 0, "not_offered": 0}
    problems = []
    for done, request in enumerate(wanted, start=1):
        try:
            reply = source.fetch(request, clock.as_of, payloads.last_validators(connection, request))
        except SourceUnavailable as error:
            problems.append(str(error))
        else:
            if not isinstance(reply, NoReply):
                counts[payloads.store(connection, request, reply, clock.as_of, run_id)] += 1
            elif reply.reason == "not_modified":
                payloads.note_seen(connection, request, clock.as_of, run_id)
                counts["seen"] += 1
            else:
                counts["not_offered"] += 1
        connection.commit()
        if on_progress is not None:
            on_progress("fetch", done, len(wanted))
    return counts, problems


def _parse_ahead(
    connection: Connection, source: Source, pending: Sequence[int]
) -> Iterator[tuple[Payload, Observations | PayloadRejected]]:
    """Payloads with what they say; the next one is parsed while the caller writes this one."""

    def parse(payload: Payload) -> tuple[Payload, Observations | PayloadRejected]:
        try:
            return payload, source.parse(Request(payload.source, payload.endpoint), payload.body)
        except PayloadRejected as error:
            return payload, error

    with ThreadPoolExecutor(max_workers=1) as executor:
        ahead: deque[Future[tuple[Payload, Observations | PayloadRejected]]] = deque()
        for payload_id in pending:
            payload = payloads.read(connection, payload_id)
            connection.commit()
            if payload is not None:
                ahead.append(executor.submit(parse, payload))
            if len(ahead) > 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _land(
    connection: Connection, payload: Payload, found: Observations | PayloadRejected, run_id: str
) -> FileReport | None:
    """Write one payload's facts in one transaction; None when nothing could be read or another run was faster."""
    # Not waiting for the disk is safe here and only here: what a power cut undoes is parsed again.
    connection.execute("set local synchronous_commit = off")
    payloads.lock_source(connection, payload.source)
    if payloads.is_parsed(connection, payload.payload_id):
        connection.commit()
        return None
    if isinstance(found, PayloadRejected):
        observations.reject_payload(connection, payload, str(found), run_id)
        connection.commit()
        return None
    report = observations.write(connection, payload, found, run_id)
    connection.commit()
    return report
