"""Collect: ask every source, store every body, then parse what has not been parsed.

A kill at any point loses nothing: a stored payload without its `payload_parsed` row is parsed by the next run,
and observations are written in the same transaction as that row.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from touchline.clock import RunClock
from touchline.database.engine import Connection, connect
from touchline.errors import (
    PayloadRejected,
    SettingsInvalid,
    SourceAsksToWait,
    SourceFailing,
    SourceResting,
    SourceUnavailable,
)
from touchline.landing import observations, payloads, ticks
from touchline.landing.asking import Window, replies_to, wanted_requests
from touchline.landing.observations import UNWRITABLE, FileReport
from touchline.landing.payloads import Payload
from touchline.landing.replay import replay_waiting
from touchline.landing.resolve import resolve
from touchline.settings import Settings
from touchline.sources.configuration import read_configuration
from touchline.sources.registry import open_sources, source_folder
from touchline.sources.source import KINDS, Kind, Observations, Reply, Request, Source

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
# What opens the sources to be asked, as `open_sources` does.
Opening = Callable[[Settings, RunClock, Sequence[str]], AbstractContextManager[list[Source]]]


@dataclass(frozen=True)
class CollectReport:
    """What a collection did. `problems` are bodies that could not be fetched, or not be used at all.

    `unreadable` of them could be fetched. When requests were left because a source asked for a pause, or was slower
    than the collection had time, the source can be asked for them in `wait_seconds`; else that is None. A source
    `is_failing` when it was not asked for all because its last calls had failed.
    """

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
    replayed: int
    new_fixtures: int
    new_scores: int
    new_quotes: int
    ignored_files: tuple[str, ...]
    problems: tuple[str, ...]
    unreadable: int
    wait_seconds: float | None
    is_failing: bool
    files: tuple[FileReport, ...]

    @property
    def is_answered(self) -> bool:
        """Whether a source gave something, if only that nothing has changed, or there was nothing to ask."""
        return self.requests == 0 or self.new_payloads + self.seen_again + self.not_offered > 0

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        text = (
            f"{self.source}: {self.requests} requests, {self.new_payloads} new payloads, {self.seen_again} "
            f"unchanged; {self.rows} rows = {self.parsed} parsed + {self.rejected} rejected "
            f"({self.rejected_prices} more prices set aside); new: {self.new_fixtures} fixtures, "
            f"{self.new_scores} scores, {self.new_quotes} quotes."
        )
        if self.replayed:
            text += f" {self.replayed} rows left quarantine."
        return (
            text
            if not self.problems
            else f"{text} {len(self.problems)} problems: " + "; ".join(self.problems)
        )


@dataclass
class _Tally:
    """The outcome of the requests, over all sources; `observed_until` (UTC) is the last instant anything was told."""

    observed_until: datetime
    requests: int = 0
    new: int = 0
    seen: int = 0
    not_offered: int = 0
    resting: int = 0
    wait_seconds: float | None = None
    is_failing: bool = False
    problems: list[str] = field(default_factory=list)


def collect(
    settings: Settings,
    clock: RunClock,
    run_id: str,
    kinds: Sequence[Kind] = KINDS,
    on_progress: Progress | None = None,
    only: Sequence[str] = (),
    window: Window | None = None,
    *,
    resumes: bool = False,
    seconds: float | None = None,
    opening: Opening = open_sources,
) -> CollectReport:
    """Fetch and land everything the sources offer for `kinds` at `clock.as_of`, or for matches in `window`.

    `only` names the sources to ask; if empty, all sources in use are asked. `opening` opens them. `window` is two UK
    days, both included. With a window, or if it `resumes`, what this `run_id` has already stored is not requested
    again, so that a killed backfill goes on where it stopped. After `seconds` of a source no further request is sent to
    it. `on_progress` is called with ("fetch" or "parse", done, total). A failed request is reported, and the others
    continue. Raises SourceUnavailable when there is no source, or when every request failed (unless all sources merely
    rest), and SettingsInvalid when the database holds the other world (simulated or real), or a provider is to be asked
    as of another time.
    """
    if settings.as_of is not None and not settings.is_simulated and source_folder(settings) is None:
        raise SettingsInvalid(
            f"{settings.source} tells what is known today, not what was at {settings.as_of.isoformat()}: leave out "
            "TOUCHLINE_AS_OF, or name a folder of season files, which is read as it was then"
        )
    tally, files, replayed = _Tally(clock.as_of), [], 0
    bookmakers = read_configuration(settings.sources_file).bookmakers
    with opening(settings, clock, only) as sources, connect(settings, "ingest") as connection:
        names = ", ".join(source.name for source in sources)
        payloads.claim_world(connection, names, is_simulated=settings.is_simulated)
        ticks.ensure_partitions(connection, clock.as_of)
        connection.commit()
        plans = [
            (source, wanted_requests(connection, source, kinds, clock, run_id, window, resumes))
            for source in sources
        ]
        n_planned = sum(len(wanted) for _, wanted in plans)
        for source, wanted in plans:
            _fetch_all(connection, source, wanted, clock, run_id, tally, n_planned, on_progress, seconds)
        n_failed = len(tally.problems)
        pending = [(source, payloads.unparsed(connection, source.name)) for source in sources]
        connection.commit()
        n_pending, done = sum(len(ids) for _, ids in pending), 0
        for source, ids in pending:
            for payload, found in _parse_ahead(connection, source, ids):
                report = _land(connection, payload, found, bookmakers.get(source.name, {}), run_id)
                done += 1
                if isinstance(report, PayloadRejected):
                    tally.problems.append(str(report))
                elif report is not None:
                    files.append(report)
                if on_progress is not None:
                    on_progress("parse", done, n_pending)
        for source in sources:
            # A row that waited may owe its fixture to what was told last.
            again = replay_waiting(connection, source, bookmakers, tally.observed_until, run_id)
            replayed += again.n_settled
        ignored = tuple(name for source in sources for name in source.ignored)
    if n_failed and n_failed >= tally.requests > tally.resting:
        raise SourceUnavailable("; ".join(tally.problems[:3]))
    return CollectReport(
        source=names,
        as_of=clock.as_of.isoformat(),
        requests=tally.requests,
        new_payloads=tally.new,
        seen_again=tally.seen,
        not_offered=tally.not_offered,
        rows=sum(file.rows for file in files),
        parsed=sum(file.parsed for file in files),
        rejected=sum(file.rejected for file in files),
        rejected_prices=sum(file.rejected_prices for file in files),
        replayed=replayed,
        new_fixtures=sum(file.new_fixtures for file in files),
        new_scores=sum(file.new_scores for file in files),
        new_quotes=sum(file.new_quotes for file in files),
        ignored_files=ignored,
        problems=tuple(tally.problems),
        unreadable=len(tally.problems) - n_failed,
        wait_seconds=tally.wait_seconds,
        is_failing=tally.is_failing,
        files=tuple(files),
    )


def _fetch_all(
    connection: Connection, source: Source, wanted: Sequence[Request], clock: RunClock, run_id: str,
    tally: _Tally, n_planned: int, on_progress: Progress | None, seconds: float | None,
) -> None:  # fmt: skip
    """Send several requests at once, and store the replies in the order of the requests."""
    for request, reply in replies_to(connection, source, wanted, clock, seconds):
        tally.requests += 1
        if isinstance(reply, SourceUnavailable):
            tally.problems.append(str(reply))
            tally.resting += isinstance(reply, SourceResting)
            tally.is_failing |= isinstance(reply, SourceFailing)
            if isinstance(reply, SourceAsksToWait):
                tally.wait_seconds = max(reply.seconds, tally.wait_seconds or 0.0)
            log.warning("%s", reply)
        else:
            # Replies overtake one another; bodies are dated in the order in which they are stored.
            observed_at = max(tally.observed_until, reply.observed_at or clock.as_of)
            tally.observed_until = observed_at
            if isinstance(reply, Reply):
                stored = payloads.store(connection, request, reply, observed_at, run_id)
                tally.new += stored == "new"
                tally.seen += stored == "seen"
            elif reply.reason == "not_modified":
                payloads.note_seen(connection, request, observed_at, run_id)
                tally.seen += 1
            else:
                tally.not_offered += 1
        connection.commit()
        if on_progress is not None:
            on_progress("fetch", tally.requests, max(n_planned, tally.requests))


def _parse_ahead(
    connection: Connection, source: Source, pending: Sequence[int]
) -> Iterator[tuple[Payload, Observations | PayloadRejected]]:
    """Each payload with its parsed content; the next one is parsed while the caller writes this one."""

    def parse(payload: Payload) -> tuple[Payload, Observations | PayloadRejected]:
        try:
            return payload, payloads.parse(source, payload)
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
    connection: Connection, payload: Payload, found: Observations | PayloadRejected,
    bookmakers: Mapping[str, str], run_id: str,
) -> FileReport | PayloadRejected | None:  # fmt: skip
    """Write one payload's facts in one transaction, or why they cannot be used. None when another run was faster."""
    # Not waiting for the disk is safe only here: whatever a power cut undoes is parsed again.
    connection.execute("set local synchronous_commit = off")
    payloads.lock_source(connection, payload.source)
    if payloads.is_parsed(connection, payload.payload_id):
        connection.commit()
        return None
    outcome: FileReport | PayloadRejected
    if isinstance(found, PayloadRejected):
        outcome = found
    else:
        try:
            with connection.transaction():
                resolved = resolve(connection, payload, found, bookmakers, payload.observed_at, run_id)
                outcome = observations.write(connection, payload, resolved, run_id)
        except UNWRITABLE as error:
            outcome = PayloadRejected(f"{payload.endpoint}: the database refuses its facts: {error}")
    if isinstance(outcome, PayloadRejected):
        observations.reject_payload(connection, payload, str(outcome), run_id)
    connection.commit()
    return outcome
