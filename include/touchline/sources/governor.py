"""A provider's limits and circuit breaker, kept in PostgreSQL so that all processes share them.

The pace follows wall time, read from the database's clock: any two calls are at least a minute / calls_per_minute
apart, whichever process makes them. Budgets and the circuit follow `as_of`, so that a replay behaves like the day it
replays. An open circuit also half-opens by wall time, in case `as_of` stands still.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from touchline.database.engine import Connection, open_url, rows
from touchline.errors import SourceAsksToWait, SourceFailing, SourceResting
from touchline.settings import Settings
from touchline.sources.configuration import SourceConfiguration
from touchline.sources.http import LONGEST_PATIENCE_SECONDS, Allowance, Verdict
from touchline.sources.source import Request

FAILURES_THAT_OPEN = 8
COOL_DOWN = timedelta(minutes=5)

_LOCK_STATE = """
insert into ops.source_state (source) values (%(source)s) on conflict (source) do update set source = excluded.source
returning *, clock_timestamp() as now
"""
_NOTE_CALL = """
insert into ops.source_usage (source, used_on, n_calls, n_credits, n_failures)
values (%(source)s, %(day)s, 1, %(cost)s, %(failed)s)
on conflict (source, used_on) do update set n_calls = source_usage.n_calls + 1,
    n_credits = source_usage.n_credits + excluded.n_credits, n_failures = source_usage.n_failures + excluded.n_failures
"""
_NOTE_SUCCESS = """
update ops.source_state set circuit = 'closed', n_failures = 0, opened_at = null, opened_as_of = null,
    last_success_at = clock_timestamp(), last_success_as_of = %(as_of)s,
    remaining_calls = coalesce(%(calls)s, remaining_calls),
    remaining_credits = coalesce(%(credits)s, remaining_credits),
    next_call_at = case when %(calls)s = 0 and %(window)s::double precision is not null
        then greatest(next_call_at, clock_timestamp() + %(window)s * interval '1 second') else next_call_at end,
    asked_until = case when %(calls)s = 0 and %(window)s::double precision is not null
        then greatest(asked_until, clock_timestamp() + %(window)s * interval '1 second') else asked_until end
where source = %(source)s
"""
_NOTE_FAILURE = """
update ops.source_state set
    n_failures = n_failures + %(counts)s,
    circuit = case when %(counts)s = 1 and (circuit = 'half_open' or n_failures + 1 >= %(limit)s) then 'open'
        else circuit end,
    opened_at = case when %(counts)s = 1 and (circuit = 'half_open' or n_failures + 1 >= %(limit)s)
        then clock_timestamp() else opened_at end,
    opened_as_of = case when %(counts)s = 1 and (circuit = 'half_open' or n_failures + 1 >= %(limit)s)
        then %(as_of)s else opened_as_of end,
    last_failure_at = clock_timestamp(), last_failure_as_of = %(as_of)s, last_error = %(reason)s,
    quota_spent_until = coalesce(%(spent_until)s, quota_spent_until),
    next_call_at = case when %(wait)s::double precision is not null
        then greatest(next_call_at, clock_timestamp() + %(wait)s * interval '1 second') else next_call_at end,
    asked_until = case when %(wait)s::double precision is not null
        then greatest(asked_until, clock_timestamp() + %(wait)s * interval '1 second') else asked_until end
where source = %(source)s
"""


class DatabaseGovernor:
    """Limits of one source at `as_of` (UTC). Safe to share between threads; use as a context manager.

    Calls to a source with a budget are made one at a time across all processes: no process may check the budget while
    another has checked it but not yet recorded its use. PostgreSQL frees the lock when its holder dies.
    """

    def __init__(
        self, settings: Settings, source: str, configuration: SourceConfiguration, as_of: datetime
    ) -> None:
        self._source = source
        self._configuration = configuration
        self._as_of = as_of.astimezone(UTC)
        # While one waits, the simulated world's clock stands still.
        self._keeps_pauses = not settings.is_simulated
        self._guard = threading.Lock()
        self._turn = threading.Lock()
        self._is_budgeted = configuration.credits_per_day is not None or configuration.keep_credits > 0
        self._stack = ExitStack()
        self._url = settings.url("ingest")
        self._connection: Connection | None = None

    def __enter__(self) -> DatabaseGovernor:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._connection = None

    def before_call(self, request: Request) -> float:
        """Reserve the next call; returns the seconds until it may be made. `after_call` must follow.

        Raises SourceResting when the quota or the day's budget is spent, or the circuit is open; SourceAsksToWait when
        the provider has asked for a pause that is longer than a request waits.
        """
        self._take_turn()
        try:
            return self._reserve(request)
        except BaseException:
            self._end_turn()
            raise

    def _reserve(self, request: Request) -> float:
        with self._guard, self._transaction() as connection:
            (state,) = rows(connection, _LOCK_STATE, {"source": self._source})
            self._check_pause(state)
            self._check_quota(connection, state, request.cost)
            self._check_circuit(connection, state)
            start = max(state["next_call_at"], state["now"])
            connection.execute(
                "update ops.source_state set next_call_at = %s where source = %s",
                (start + timedelta(minutes=1 / self._configuration.calls_per_minute), self._source),
            )
        wait: timedelta = start - state["now"]
        return wait.total_seconds()

    def after_call(self, request: Request, allowance: Allowance, verdict: Verdict) -> None:
        """Record the call and its outcome. Only failures that may pass count towards opening the circuit."""
        succeeded = verdict.kind in ("answered", "not_offered")
        values = {
            "source": self._source,
            "as_of": self._as_of,
            "day": self._as_of.date(),
            "cost": request.cost if succeeded else 0,
            "failed": int(not succeeded),
            "calls": allowance.remaining_calls,
            "window": allowance.window_ends_in_seconds,
            "credits": allowance.remaining_credits,
            "counts": int(verdict.kind == "again"),
            "limit": FAILURES_THAT_OPEN,
            "reason": verdict.reason,
            "wait": verdict.wait_seconds,
            "spent_until": (verdict.until or self._next_day()) if verdict.kind == "quota_spent" else None,
        }
        try:
            with self._guard, self._transaction() as connection:
                rows(connection, _LOCK_STATE, values)
                connection.execute(_NOTE_CALL, values)
                connection.execute(_NOTE_SUCCESS if succeeded else _NOTE_FAILURE, values)
        finally:
            self._end_turn()

    def _check_pause(self, state: dict[str, Any]) -> None:
        if state["asked_until"] is None or not self._keeps_pauses:
            return
        seconds = (state["asked_until"] - state["now"]).total_seconds()
        if seconds > LONGEST_PATIENCE_SECONDS:
            raise SourceAsksToWait(
                f"{self._source}: it has asked to be left alone until {state['asked_until'].astimezone(UTC):%H:%M:%S} "
                f"UTC ({state['last_error'] or 'its window of calls is used up'})",
                seconds,
            )

    def _check_quota(self, connection: Connection, state: dict[str, Any], cost: int) -> None:
        spent_until = state["quota_spent_until"]
        if spent_until is not None and spent_until > self._as_of:
            raise SourceResting(
                f"{self._source}: the quota is spent until {spent_until:%Y-%m-%d %H:%M} UTC ({state['last_error']})"
            )
        kept = self._configuration.keep_credits
        remaining = state["remaining_credits"]
        asked_today = (
            state["last_success_as_of"] is not None
            and state["last_success_as_of"].date() == self._as_of.date()
        )
        # Credits may have been renewed overnight, so the first call of the day is always made.
        if remaining is not None and asked_today and remaining - cost < kept:
            raise SourceResting(
                f"{self._source}: {remaining} credits are left and {kept} are kept back (keep_credits in "
                "config/sources.yaml); asking again tomorrow"
            )
        budget = self._configuration.credits_per_day
        if budget is None:
            return
        found = rows(
            connection,
            "select n_credits from ops.source_usage where source = %s and used_on = %s",
            (self._source, self._as_of.date()),
        )
        used = found[0]["n_credits"] if found else 0
        if used + cost > budget:
            raise SourceResting(
                f"{self._source}: {used} of today's {budget} credits are used and this call costs {cost} "
                "(credits_per_day in config/sources.yaml); asking again tomorrow"
            )

    def _take_turn(self) -> None:
        if self._is_budgeted:
            self._turn.acquire()
            with self._guard:
                self._open().execute("select pg_advisory_lock(hashtext('turn ' || %s))", (self._source,))

    def _end_turn(self) -> None:
        if self._is_budgeted:
            try:
                with self._guard:
                    self._open().execute(
                        "select pg_advisory_unlock(hashtext('turn ' || %s))", (self._source,)
                    )
            finally:
                self._turn.release()

    def _check_circuit(self, connection: Connection, state: dict[str, Any]) -> None:
        """After the pause, let one call through; calls made before it is answered must wait for another pause."""
        if state["circuit"] == "closed":
            return
        rested = max(self._as_of - state["opened_as_of"], state["now"] - state["opened_at"])
        if rested < COOL_DOWN:
            raise SourceFailing(
                f"{self._source}: not called for {COOL_DOWN.total_seconds() / 60:.0f} minutes after "
                f"{state['n_failures']} failures in a row, the last: {state['last_error']}"
            )
        connection.execute(
            "update ops.source_state set circuit = 'half_open', opened_at = clock_timestamp(), opened_as_of = %s "
            "where source = %s",
            (self._as_of, self._source),
        )

    def _next_day(self) -> datetime:
        return datetime.combine(self._as_of.date() + timedelta(days=1), datetime.min.time(), UTC)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        connection = self._open()
        with connection.transaction():
            yield connection

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._stack.enter_context(open_url(self._url, autocommit=True))
        return self._connection
