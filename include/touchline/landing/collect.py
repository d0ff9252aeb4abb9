"""Collect: ask a source, store every body, then parse what has not been parsed.

A kill at any point loses nothing: a stored payload without its `payload_parsed` row is parsed by the next run,
and observations are written in the same transaction as that row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from touchline.clock import RunClock
from touchline.database.engine import Connection, connect, rows, scalar
from touchline.errors import PayloadRejected, SourceUnavailable
from touchline.landing import observations, payloads
from touchline.settings import Settings
from touchline.sources.registry import open_source
from touchline.sources.source import KINDS, Kind, NoReply, Request, Source

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class FileReport:
    """What one stored body gave; `rows` = `parsed` + `rejected`. Facts count what was new."""

    payload_id: int
    endpoint: str
    rows: int
    parsed: int
    rejected: int
    rejected_prices: int
    new_fixtures: int
    new_scores: int
    new_quotes: int


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
        return text if not self.problems else f"{text} {len(self.problems)} problems: " + "; ".join(self.problems)


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
        connection.commit()
        counts, problems = _fetch_all(connection, source, wanted, clock, run_id, on_progress)
        if problems and len(problems) == len(wanted):
            raise SourceUnavailable(problems[0])
        pending = payloads.unparsed(connection, source.name)
        connection.commit()
        files = []
        for done, payload_id in enumerate(pending, start=1):
            try:
                report = _parse_one(connection, source, payload_id, run_id)
            except PayloadRejected as error:
                problems.append(str(error))
                report = None
            if report is not None:
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


def _parse_one(connection: Connection, source: Source, payload_id: int, run_id: str) -> FileReport | None:
    payloads.lock_source(connection, source.name)
    payload = payloads.read(connection, payload_id)
    if payload is None:
        connection.commit()
        return None
    try:
        found = source.parse(Request(payload.source, payload.endpoint), payload.body)
    except PayloadRejected as error:
        observations.reject_payload(connection, payload, str(error), run_id)
        connection.commit()
        raise
    observations.write(connection, payload, found, run_id)
    (counted,) = rows(connection, "select * from landing.payload_parsed where payload_id = %s", (payload_id,))
    connection.commit()
    return FileReport(
        payload_id, payload.endpoint, counted["n_rows"], counted["n_parsed"], counted["n_rejected"],
        counted["n_rejected_prices"], counted["n_fixtures"], counted["n_scores"], counted["n_quotes"],
    )  # fmt: skip
