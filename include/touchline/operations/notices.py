"""What operators are told: once a cause and not once a try, by every channel, whatever becomes of the channel.

A failure opens a notice, or is counted with the open one of the same cause; a success of the task closes it. Sending is
a step of its own, which tries again what could not be sent: a channel that is down delays and fails nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from touchline.database.engine import Connection, connect, rows
from touchline.settings import Settings

SAMPLE_LINES = 5
LONGEST_LINE = 500
NO_ADVICE = "see the task's log"
NO_WORD = "it was killed, or its worker was, as often as it may be tried"

# One failure at a time, or two that have one cause would not see each other.
_LOCK = "select pg_advisory_xact_lock(hashtext('notices'))"
_COUNT = """
update ops.notice set n_times = n_times + 1, last_at = clock_timestamp()
where notice_id = (
    select min(notice_id) from ops.notice
    where closed_at is null and task_id <> '' and (
        task_id = any(%(follows)s)
        or (task_id = %(task_id)s and dag_id <> %(dag_id)s and split_part(cause, '/', 3) = %(kind)s)
    )
)
"""
_OPEN = """
insert into ops.notice (cause, dag_id, task_id, run_id, error, sample, what_to_do, link)
values (%(cause)s, %(dag_id)s, %(task_id)s, %(run_id)s, %(error)s, %(sample)s, %(what_to_do)s, %(link)s)
on conflict (cause) where closed_at is null do update set n_times = notice.n_times + 1, last_at = clock_timestamp()
"""
# What concerns a run as a whole is over when a task of another run of the DAG succeeds.
_CLOSE = """
update ops.notice set closed_at = clock_timestamp()
where closed_at is null and dag_id = %(dag_id)s
    and (task_id = %(task_id)s or (task_id = '' and run_id <> %(run_id)s))
"""
_UNTOLD = """
select notice_id, dag_id, task_id, run_id, error, sample, what_to_do, link from ops.notice
where closed_at is null and not told_by @> array[%s] and not exists (
    select from ops.maintenance_window where starts_at <= clock_timestamp() and ends_at > clock_timestamp()
)
order by dag_id, run_id, notice_id
"""


@dataclass(frozen=True)
class Notice:
    """Something of which operators are told. `error` is one line, `sample` rows or problems that show it.

    It `follows` from the failure of any of these tasks, in whichever DAG.
    """

    dag_id: str
    task_id: str
    run_id: str
    kind: str
    error: str
    sample: tuple[str, ...]
    what_to_do: str
    link: str
    follows: tuple[str, ...] = ()

    @property
    def cause(self) -> str:
        """What makes two notices the same."""
        return f"{self.dag_id}/{self.task_id}/{self.kind}"


@dataclass(frozen=True)
class Message:
    """What a channel sends: all that is new of one run."""

    subject: str
    text: str


Channel = Callable[[Message], None]


def notice_of(
    dag_id: str,
    task_id: str,
    run_id: str,
    error: BaseException | str | None,
    guide: str | None,
    link: str,
    follows: tuple[str, ...] = (),
) -> Notice:
    """The notice of a failed task. `guide` is the documentation of its DAG, which says what to do."""
    kind = "Failed" if error is None or isinstance(error, str) else type(error).__name__
    first, *others = [line.strip() for line in str(error or "").splitlines() if line.strip()] or [NO_WORD]
    told = first if kind == "Failed" else f"{kind}: {first}"
    return Notice(
        dag_id, task_id, run_id, kind, told[:LONGEST_LINE],
        tuple(line[:LONGEST_LINE] for line in others[:SAMPLE_LINES]), advice(guide or "", task_id), link,
        follows,
    )  # fmt: skip


def advice(guide: str, task_id: str) -> str:
    """What the documentation of a DAG says of a failed task, as one line.

    That is its bullet under "When a task fails", or the paragraph "When `task` fails". A task within a group is spoken
    of by the name of the group.
    """
    name = re.escape(task_id.partition(".")[0])
    for pattern in (
        rf"^\* `{name}`: (.+?)(?=^\* |\n\n|\Z)",
        rf"^\*\*When `{name}` fails\*\*: (.+?)(?=\n\n|\Z)",
    ):
        if found := re.search(pattern, guide, re.MULTILINE | re.DOTALL):
            return " ".join(found[1].split())
    return NO_ADVICE


def open_notice(settings: Settings, notice: Notice) -> None:
    """Record a failure: as a new notice, or counted with the one that is open for the same cause.

    The same cause has what the same task met in another DAG, and what follows from an open notice.
    """
    values = {
        **vars(notice), "cause": notice.cause, "sample": list(notice.sample), "follows": list(notice.follows),
    }  # fmt: skip
    with connect(settings, "ingest") as connection:
        connection.execute(_LOCK)
        if not connection.execute(_COUNT, values).rowcount:
            connection.execute(_OPEN, values)


def close_notices(settings: Settings, dag_id: str, task_id: str, run_id: str) -> None:
    """Record that a task succeeded: what it failed with is over."""
    with connect(settings, "ingest") as connection:
        connection.execute(_CLOSE, {"dag_id": dag_id, "task_id": task_id, "run_id": run_id})


def send_notices(settings: Settings, channels: Mapping[str, Channel]) -> list[str]:
    """Send what is open and was not sent yet, through every channel; returns what went wrong, a line a channel.

    During a maintenance nothing is sent: what is still open after it is new then.
    A kill between sending and recording it may send a message twice, and never none.
    """
    return [problem for name, channel in channels.items() for problem in _send(settings, name, channel)]


def _send(settings: Settings, name: str, channel: Channel) -> Iterator[str]:
    with connect(settings, "ingest") as connection:
        # One sender at a time. Rows stay free meanwhile: a task that writes one does not wait for a channel.
        connection.execute("select pg_advisory_lock(hashtext('notices by ' || %s))", (name,))
        for _, found in groupby(
            rows(connection, _UNTOLD, (name,)), key=lambda row: (row["dag_id"], row["run_id"])
        ):
            told = list(found)
            connection.commit()
            try:
                channel(_message(told))
            # Whatever a provider's client raises: the pipeline does not depend on it.
            except Exception as error:
                yield f"{name}: {type(error).__name__}: {error}; it is tried again with the next message"
                return
            _note(connection, name, [row["notice_id"] for row in told])
            connection.commit()


def _note(connection: Connection, channel: str, notice_ids: Sequence[int]) -> None:
    connection.execute(
        "update ops.notice set told_by = told_by || %s::text where notice_id = any(%s)",
        (channel, list(notice_ids)),
    )


def _message(found: Sequence[Mapping[str, object]]) -> Message:
    tasks = ", ".join(str(row["task_id"]) for row in found if row["task_id"])
    subject = f"Touchline: {found[0]['dag_id']}" + (f": {tasks}" if tasks else "")
    return Message(subject, "\n\n".join(_paragraph(row) for row in found))


def _paragraph(row: Mapping[str, object]) -> str:
    sample = row["sample"]
    assert isinstance(sample, list)
    where = " / ".join(str(row[name]) for name in ("dag_id", "task_id") if row[name])
    lines = [where, str(row["error"]), *(f"  {line}" for line in sample), f"To do: {row['what_to_do']}"]
    return "\n".join([*lines, f"Run: {row['link']}"])
