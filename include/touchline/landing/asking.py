"""What a source is asked, and its replies: several requests at once, in their order, and none after it wants rest."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date

from touchline.clock import RunClock
from touchline.database.engine import Connection
from touchline.errors import SourceAsksToWait, SourceResting, SourceUnavailable
from touchline.landing import payloads
from touchline.sources.source import Kind, NoReply, Reply, Request, Source

Window = tuple[date, date]
# The governor keeps the provider's pace; this only hides the latency of each reply.
REQUESTS_AT_ONCE = 6


def wanted_requests(
    connection: Connection, source: Source, kinds: Sequence[Kind], clock: RunClock, run_id: str,
    window: Window | None, resumes: bool,
) -> list[Request]:  # fmt: skip
    """The requests of a source for kinds of facts, or for the matches of a window (two UK days, both included).

    With a window, or if the collection `resumes`, without those that `run_id` has an answer to.
    """
    wanted = source.requests(kinds, clock.as_of) if window is None else source.backfill(kinds, *window)
    if window is None and not resumes:
        return list(wanted)
    answered = payloads.answered_in_run(connection, source.name, run_id)
    return list(_missing(connection, source, wanted, answered))


def _missing(
    connection: Connection, source: Source, wanted: Sequence[Request], answered: set[str]
) -> Iterator[Request]:
    """Those of the requests that have no answer, with the further pages that answers name."""
    queue = deque(wanted)
    while queue:
        request = queue.popleft()
        if request.endpoint not in answered:
            yield request
        else:
            queue.extendleft(reversed(source.more(request, payloads.last_body(connection, request))))


def replies_to(
    connection: Connection, source: Source, wanted: Sequence[Request], clock: RunClock, seconds: float | None
) -> Iterator[tuple[Request, Reply | NoReply | SourceUnavailable]]:
    """Replies in the order of the requests. Further pages that a body names follow its own reply.

    A source that rests (quota spent, circuit open, a pause) is reported once and not asked again, and so is one that
    has not answered everything after `seconds`.
    """
    queue, is_resting, began = deque(wanted), False, time.monotonic()
    validators = payloads.last_validators(connection, source.name, [each.endpoint for each in wanted])
    # No transaction may stay open while we wait for a provider.
    connection.commit()

    def ask(request: Request) -> Reply | NoReply | SourceUnavailable:
        known: Mapping[str, str] = validators.get(request.endpoint, {})
        try:
            return source.fetch(request, clock.as_of, known)
        except SourceUnavailable as error:
            return error

    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as executor:
        ahead: deque[tuple[Request, Future[Reply | NoReply | SourceUnavailable]]] = deque()
        while ahead or (queue and not is_resting):
            if queue and not is_resting and seconds is not None and time.monotonic() - began > seconds:
                told = f"{source.name}: slow; {len(queue)} requests are left after {seconds:.0f} seconds"
                is_resting = True
                yield queue[0], SourceAsksToWait(told, 0.0)
                continue
            while queue and not is_resting and len(ahead) < REQUESTS_AT_ONCE:
                request = queue.popleft()
                ahead.append((request, executor.submit(ask, request)))
            request, future = ahead.popleft()
            reply = future.result()
            # Replies already on their way are kept, because they may have cost credits.
            if not (is_resting and isinstance(reply, SourceResting)):
                yield request, reply
            is_resting = is_resting or isinstance(reply, SourceResting)
            if isinstance(reply, Reply):
                queue.extendleft(reversed(source.more(request, reply.body)))
