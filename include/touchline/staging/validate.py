"""Validate an installation: live through the hours, then judge each promise."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from touchline.database.engine import connect, rows
from touchline.settings import PROJECT_ROOT, Settings
from touchline.staging import promises
from touchline.staging.course import Course, OnMoment, RealTime, Simulated, play
from touchline.staging.disturbances import RECOVERY_SECONDS
from touchline.staging.installation import Installation, scratch_installation
from touchline.staging.load import Answers, Readers
from touchline.staging.plants import Plant, prepared
from touchline.staging.promises import Verdict

# At most so many requests in 10,000 fail where nothing was done to what answers them.
MOST_FAILED: Final = 1e-4
# In the first two phases, as of the alert ApiLatencyBudgetBurn.
P95_MILLISECONDS: Final = 500.0
INSTANTS_REBUILT: Final = 2
# Before and after a kill readers may find a connection that is gone.
AROUND_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Validation:
    """What happened, and what is to be thought of it."""

    course: Course
    readers: Readers
    verdicts: tuple[Verdict, ...]


def validate(
    settings: Settings, hours: float, on_moment: OnMoment = lambda _: None, plant: str | None = None
) -> Validation:
    """Validate an installation of its own over so many hours of the simulated clock; `plant` names a fault to plant.

    Raises ValidationImpossible when the settings do not allow it, ServiceFailed when the installation does not start.
    """
    # PostgreSQL may run as another user.
    with tempfile.TemporaryDirectory(prefix="touchline-planted-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        planted = None if plant is None else prepared(plant, folder)
        code = PROJECT_ROOT if planted is None else planted.code
        with scratch_installation(settings, code) as installation:
            return _validated(installation, hours, on_moment, Simulated(), planted)


def validate_running(settings: Settings, hours: float, on_moment: OnMoment = lambda _: None) -> Validation:
    """Validate the installation of these settings, which runs, over so many hours of the wall clock.

    What is done to it in the third phase is done to it: it is meant for staging. Raises ServiceFailed when its
    Airflow does not answer.
    """
    return _validated(Installation(settings), hours, on_moment, RealTime(), None)


def _validated(
    installation: Installation,
    hours: float,
    on_moment: OnMoment,
    clock: Simulated | RealTime,
    plant: Plant | None,
) -> Validation:
    course, readers = play(installation, hours, on_moment, clock, plant)
    return Validation(course, readers, tuple(judged(installation, course, readers)))


def judged(installation: Installation, course: Course, readers: Readers) -> Iterator[Verdict]:
    """Every verdict, in the order of the promises."""
    found = list(_judged(installation, course, readers))
    yield from sorted(found, key=lambda each: each.promise)


def _judged(installation: Installation, course: Course, readers: Readers) -> Iterator[Verdict]:
    settings = installation.settings
    yield from promises.of_predictions(settings, course.since)
    yield from promises.append_only(settings, course.marks)
    yield from promises.of_collections(settings, course.since)
    yield from promises.of_gates(settings, course.since)
    yield from _unattended(course)
    yield from _of_disturbances(course)
    yield from _of_readers(course, readers)
    yield _of_notices(settings, course)
    yield Verdict(
        5, "the same code runs on a cluster", None, {},
        "one machine was validated; tests/end_to_end/test_cluster.py and test_image.py run it on several",
    )  # fmt: skip
    if settings.backup.folder is None:
        yield Verdict(
            1, promises.BUILT_LATER, None, {}, "backups are off: TOUCHLINE_BACKUP_FOLDER is not set"
        )
    else:
        instants = promises.last_instants(settings, course.since, INSTANTS_REBUILT)
        yield from promises.of_restored(installation, instants)
    yield from promises.repeated(installation)


def _unattended(course: Course) -> Iterator[Verdict]:
    states = course.dag_states
    n_due = sum(each.total() for each in states.values())
    # A collection that no source answers says so, by failing.
    excused = {
        (each.at, dag_id)
        for each in course.without_sources()
        for dag_id, state in each.due.items()
        if dag_id.startswith("collect_") and state in ("degraded", "failed")
    }
    not_done = [
        f"{dag_id} of {each.at:%d %b %H:%M}: {state}"
        for each in course.moments
        for dag_id, state in each.due.items()
        if state != "success" and (each.at, dag_id) not in excused
    ]
    yield Verdict(
        6, "every DAG ran when it was due, to its end", n_due > 0 and not not_done,
        {
            "DAGs": len(states), "due": n_due, "success": sum(each["success"] for each in states.values()),
            "told that no source answered": len(excused),
        },
        "; ".join(not_done[:5]),
    )  # fmt: skip
    late = [match for each in course.moments for match in each.unpredicted]
    yield Verdict(
        6, "every match was predicted an hour before kick-off", not late, {"without": len(late)}, "; ".join(late[:3])
    )  # fmt: skip
    yield Verdict(
        6, "at the end nothing is missing", not course.shortfalls, {"missing": len(course.shortfalls)},
        "; ".join(course.shortfalls[:3]),
    )  # fmt: skip


def _of_disturbances(course: Course) -> Iterator[Verdict]:
    for kind, what in (
        ("kill", "what is killed comes back by itself"),
        ("restore", "a backup restores to the same tables, row for row"),
        ("rollback", "the champion goes back to the one before"),
    ):
        of_kind = [each for each in course.disturbances if each.kind == kind]
        done = [each for each in of_kind if not each.is_skipped]
        missed = [each for each in done if each.seconds is None]
        seconds = [each.seconds for each in done if each.seconds is not None]
        yield Verdict(
            6, what, not missed if done else None,
            {"times": len(done), "longest_seconds": round(max(seconds), 1) if seconds else None},
            "; ".join(each.note or f"not back within {RECOVERY_SECONDS:.0f} s: {each.what}" for each in missed)
            if done else "; ".join(each.note for each in of_kind) or "the course was too short for it",
        )  # fmt: skip


def _of_readers(course: Course, readers: Readers) -> Iterator[Verdict]:
    noticed = [
        (each.began_at - AROUND_SECONDS, (each.ended_at or each.began_at + RECOVERY_SECONDS) + AROUND_SECONDS)
        for each in course.disturbances if each.is_noticed
    ]  # fmt: skip
    n = sum(each.n for each in readers.answers.values())
    n_failed = sum(each.failures_outside(noticed) for each in readers.answers.values())
    down = sum(end - start for start, end in noticed)
    causes = sum((each.causes for each in readers.answers.values()), start=Answers().causes)
    yield Verdict(
        6, "the API answers, but for the seconds in which it or its database is killed",
        n > 0 and n_failed <= MOST_FAILED * n,
        {
            "requests": n, "failed": n_failed, "seconds excused": round(down, 1),
            "failed in them": sum(len(each.failed_at) for each in readers.answers.values()) - n_failed,
        },
        "; ".join(f"{times} times {cause}" for cause, times in causes.most_common(3)) if n_failed else "",
    )  # fmt: skip
    slowest = {
        phase: each.percentile(95) for phase, each in readers.answers.items() if phase != "faults" and each.n
    }
    worst = max((each for each in slowest.values() if each is not None), default=None)
    yield Verdict(
        6, f"95 of 100 answers come within {P95_MILLISECONDS:.0f} ms while nothing is broken",
        None if worst is None else worst <= P95_MILLISECONDS,
        {f"p95_{phase}_milliseconds": None if each is None else round(each, 1) for phase, each in slowest.items()},
    )  # fmt: skip


def _of_notices(settings: Settings, course: Course) -> Verdict:
    """What operators would have been told: of the outage, and of nothing in the phase in which nothing was done."""
    with connect(settings, "ingest") as connection:
        found = rows(
            connection,
            "select dag_id, task_id, error, opened_at from ops.notice where opened_at >= %s order by opened_at",
            (course.since,),
        )
    disturbed_at = min((each.began_at for each in course.moments if each.phase != "steady"), default=math.inf)
    calm = [
        row for row in found
        if (row["opened_at"] - course.since).total_seconds() + course.began_at < disturbed_at
    ]  # fmt: skip
    has_outage = any(each.kind == "outage" for each in course.disturbances)
    is_told = any(row["dag_id"].startswith("collect_") for row in found)
    return Verdict(
        6, "an outage of the sources is told, and nothing while nothing is wrong",
        (is_told or not has_outage) and not calm,
        {"notices": len(found), "while nothing was wrong": len(calm)},
        "; ".join(f"{row['dag_id']}/{row['task_id']}: {row['error'][:80]}" for row in calm[:3]),
    )  # fmt: skip
