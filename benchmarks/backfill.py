"""A month of five competitions, backfilled at once, against a week of it of which each day is worked in when it comes.

Both go through the steps that the DAGs' tasks run (collect, build, settle), in one warm process, so that nothing of
Airflow is in either figure; Airflow would add its tasks to each of the days, and once to the month.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.own_server import own_server
from benchmarks.real_seasons import archive, unpacked
from touchline.clock import virtual_clock
from touchline.database.engine import connect, scalar
from touchline.operations import names
from touchline.operations.backfill import backfill
from touchline.operations.pipeline import run_step
from touchline.operations.steps import STEPS
from touchline.settings import Settings
from touchline.sources.source import KINDS

COMPETITIONS = ("E0", "D1", "SP1", "I1", "F1")
SEASONS = ("1920", "2021", "2122", "2223")
FIRST, LAST = date(2023, 3, 1), date(2023, 3, 31)
N_DAYS = (LAST - FIRST).days + 1
# From Thursday to Wednesday: a matchday, and the quiet days around it.
N_DAILY = 7
# The Wednesday's results are in the file of the next morning.
BEFORE = datetime(2023, 3, 1, 3, tzinfo=UTC)
AFTER_BUILD = ("settle",)


def main() -> None:
    """Measure and print."""
    if not archive().exists():
        Console().print(f"backfill: skipped, there is no real data at {archive()}")
        return
    with unpacked() as folder:
        for path in folder.rglob("*.csv"):
            if path.parent.name not in SEASONS or path.stem not in COMPETITIONS:
                path.unlink()
        with _warehouse(folder) as settings:
            daily = [_day(settings, BEFORE + timedelta(days=number)) for number in range(1, N_DAILY + 1)]
            n_daily = _n_results(settings)
        with _warehouse(folder) as settings:
            at_once = _month(settings, BEFORE + timedelta(days=N_DAYS))
            n_at_once = _n_results(settings)
    assert 0 < n_daily < n_at_once, (n_daily, n_at_once)
    a_day, a_day_at_once = sum(daily) / N_DAILY, at_once / N_DAYS
    table = Table(title=f"Days of March 2023, {', '.join(COMPETITIONS)}")
    for name in ("how", "days", "results", "seconds", "a day", "ratio"):
        table.add_column(name, justify="left" if name == "how" else "right")
    table.add_row(
        "each day when it came", f"{N_DAILY}", f"{n_daily}", f"{sum(daily):.1f}", f"{a_day:.2f}", "1.0"
    )
    table.add_row(
        "the month at once", f"{N_DAYS}", f"{n_at_once}", f"{at_once:.1f}", f"{a_day_at_once:.2f}",
        f"{a_day / a_day_at_once:.1f}",
    )  # fmt: skip
    Console().print(table)


def _day(settings: Settings, now: datetime) -> float:
    """Seconds of a day: everything that is offered now, one build, and the settling."""
    started = time.perf_counter()
    run_id = f"day of {now:%Y-%m-%d}"
    for kind in KINDS:
        run_step(settings, STEPS[f"collect_{kind}"], run_id, now)
    _work_in(settings, run_id, now)
    return time.perf_counter() - started


def _month(settings: Settings, now: datetime) -> float:
    """Seconds of the month's matches, collected as a backfill, one build, and the settling."""
    started = time.perf_counter()
    backfill(settings, virtual_clock(now), KINDS, (FIRST, LAST))
    _work_in(settings, "month", now)
    return time.perf_counter() - started


def _work_in(settings: Settings, run_id: str, now: datetime) -> None:
    for step in (*names.BUILD, *AFTER_BUILD):
        run_step(settings, STEPS[step], run_id, now)


def _n_results(settings: Settings) -> int:
    with connect(settings, "transform") as connection:
        query = "select count(*) from core.match_result inner join core.match using (match_id) "
        return int(scalar(connection, f"{query} where kickoff_on between %s and %s", (FIRST, LAST)))


@contextmanager
def _warehouse(folder: Path) -> Iterator[Settings]:
    """A warehouse that knows and has built everything up to the eve of the month."""
    with own_server(source=str(folder), as_of=BEFORE) as settings:
        _day(settings, BEFORE)
        yield settings


if __name__ == "__main__":
    main()
