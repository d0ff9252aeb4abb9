"""`python -m touchline.database.watchdog`: ends sessions of analysts that hold the server up.

PostgreSQL lets every session set its own statement_timeout, work_mem and the like as high as it wants, and has no right
that could be taken away. So what a session starts with is a default, and what it may at most is watched from outside.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import psutil
import psycopg

from touchline.database.engine import Connection, connect, rows
from touchline.errors import DatabaseUnavailable
from touchline.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 2.0


@dataclass(frozen=True)
class Limits:
    """The most that a session of an analyst may take. `memory` is in bytes, with that of its parallel workers."""

    transaction: timedelta = timedelta(minutes=10)
    idle: timedelta = timedelta(hours=2)
    memory: int = 2 * 2**30


def watch(settings: Settings) -> None:
    """Look again and again, for ever. Memory is seen on the embedded server only, which runs on this machine."""
    sees, is_told = settings.database_url is None, False
    while True:
        try:
            with connect(settings, "watchdog") as connection:
                connection.autocommit, is_told = True, False
                while True:
                    for line in end_what_goes_too_far(connection, Limits(), sees_memory=sees):
                        log.warning("%s", line)
                    time.sleep(LOOK_EVERY_SECONDS)
        except (DatabaseUnavailable, psycopg.Error) as error:
            if not is_told:
                log.warning("cannot look: %s", error)
            is_told = True
            time.sleep(LOOK_EVERY_SECONDS)


def end_what_goes_too_far(connection: Connection, limits: Limits, *, sees_memory: bool) -> list[str]:
    """End the sessions of analysts that are beyond a limit; returns a line for each, with the reason."""
    found = rows(
        connection,
        "select pid, coalesce(leader_pid, pid) as session, case state when 'idle' "
        "then clock_timestamp() - state_change end as idle, case when state <> 'idle' "
        "then clock_timestamp() - least(xact_start, query_start) end as working "
        "from pg_stat_activity where usename = 'touchline_analyst'",
    )
    memory: Counter[int] = Counter()
    for row in found if sees_memory else ():
        memory[row["session"]] += _own_memory(row["pid"])
    ended = []
    for row in found:
        reason = None
        if row["working"] is not None and row["working"] > limits.transaction:
            reason = f"a statement or transaction of {row['working']}, at most {limits.transaction}"
        elif row["idle"] is not None and row["idle"] > limits.idle:
            reason = f"idle for {row['idle']}, at most {limits.idle}"
        elif memory[row["pid"]] > limits.memory:
            reason = f"{memory[row['pid']] >> 20} MiB of memory, at most {limits.memory >> 20}"
        if reason is not None and row["pid"] == row["session"]:
            connection.execute("select pg_terminate_backend(%s)", (row["pid"],))
            ended.append(f"ended session {row['pid']} of touchline_analyst: {reason}")
    return ended


def _own_memory(pid: int) -> int:
    """Bytes that no other process shares."""
    try:
        used = psutil.Process(pid).memory_info()
    except psutil.NoSuchProcess:
        return 0
    return int(used.rss - used.shared)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    watch(Settings())
