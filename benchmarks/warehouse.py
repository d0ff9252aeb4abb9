"""The warehouse: a full build of all real season files against plain SQL, and what a day costs at two sizes.

The baseline is the SQL of the same models as a person would write it down: one session, `create table as`, then the
indexes and `analyze`, ratings by the same code; without dbt, contracts, tests and the transaction a model. A day is the
hundred or so matches of one night, worked into a warehouse that holds all seasons, or the last three.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg import sql
from rich.console import Console
from rich.table import Table

from benchmarks.own_server import own_server
from touchline.clock import virtual_clock
from touchline.database.engine import connect, scalar
from touchline.landing.collect import collect
from touchline.ratings.update import update_ratings
from touchline.settings import PROJECT_ROOT, Settings
from touchline.warehouse.build import BuildReport, build_layer
from touchline.warehouse.invocation import run_dbt, target_folder

START = datetime(2023, 3, 1, 3, tzinfo=UTC)
N_NIGHTS = 14
SMALL_SINCE = "2021"
# A night counts as a usual one with so many changed matches.
USUAL_NIGHT = range(60, 161)
IN_ORDER = (
    "match_version", "match", "match_result", "match_odds", "season", "team", "team_alias", "result_version",
    "result_price", "team_match", "market_view", "team_form", "competition_form", "league_table",
    "match_features",
)  # fmt: skip
RATED_BEFORE = "team_match"


def main() -> None:
    """Measure and print."""
    shared = Path(os.environ.get("TOUCHLINE_SHARED_DATA", PROJECT_ROOT.parent / "shared" / "data"))
    archive = shared / "football_data_uk" / "season_files_1993_2023.tar.xz"
    if not archive.exists():
        Console().print(f"warehouse: skipped, there is no real data at {archive}")
        return
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(archive, folder)
        full, plain, night, n_matches = _measure(Path(folder), with_baseline=True)
        for season in Path(folder).iterdir():
            if not SMALL_SINCE[2:] <= season.name[:2] < "90":
                shutil.rmtree(season)
        _, _, small_night, n_small = _measure(Path(folder), with_baseline=False)
    table = Table(title="Building the warehouse")
    for name in ("what", "matches", "seconds", "against", "ratio"):
        table.add_column(name, justify="left" if name in ("what", "against") else "right")
    table.add_row("full build", f"{n_matches:,}", f"{full:.1f}", "plain SQL", f"{full / plain:.2f}")
    table.add_row("plain SQL in one session", f"{n_matches:,}", f"{plain:.1f}", "", "1.00")
    table.add_row("one night", f"{n_matches:,}", f"{night:.1f}", "full build", f"{night / full:.3f}")
    table.add_row(
        "one night", f"{n_matches:,}", f"{night:.1f}", "one night, small", f"{night / small_night:.2f}"
    )
    table.add_row("one night, small", f"{n_small:,}", f"{small_night:.1f}", "", "1.00")
    Console().print(table)


def _measure(folder: Path, *, with_baseline: bool) -> tuple[float, float, float, int]:
    """Seconds of a full build, of plain SQL, and of a usual night (median); and the number of matches."""
    with own_server(source=str(folder)) as settings:
        collect(settings, virtual_clock(START), "benchmark")
        # The first build has dbt read the project, which later ones remember.
        _build(settings, START, is_full=True)
        _, full = _timed(lambda: _build(settings, START, is_full=True))
        plain = _plain_sql(settings) if with_baseline else 0.0
        nights = []
        for number in range(1, N_NIGHTS + 1):
            as_of = START + timedelta(days=number)
            collect(settings, virtual_clock(as_of), f"benchmark-{number}")
            report, seconds = _timed(lambda as_of=as_of: _build(settings, as_of))
            Console().print(f"  night of {as_of:%d %B}: {report.n_changed} matches, {seconds:.1f} s")
            if report.n_changed in USUAL_NIGHT and not report.is_full:
                nights.append(seconds)
        with connect(settings, "transform") as connection:
            n_matches = int(scalar(connection, "select count(*) from core.match"))
    return full, plain, statistics.median(nights), n_matches


def _build(settings: Settings, as_of: datetime, *, is_full: bool = False) -> BuildReport:
    core = build_layer(settings, "core", as_of, "benchmark", is_full=is_full)
    update_ratings(settings, as_of, "benchmark", is_full=is_full)
    build_layer(settings, "features", as_of, "benchmark", is_full=is_full)
    return core


def _plain_sql(settings: Settings) -> float:
    """Seconds of the models' SQL in one session, into tables of their own names in other schemas."""
    run_dbt(
        settings, "compile", "--full-refresh", "--select", "path:models/core", "path:models/features",
        environment={"TOUCHLINE_DBT_AS_OF": START.isoformat()},
    )  # fmt: skip
    compiled = target_folder(settings) / "compiled" / "touchline" / "models"
    texts = {path.stem: path.read_text() for path in compiled.rglob("*.sql") if path.stem in IN_ORDER}
    with connect(settings, "owner") as connection:
        connection.execute("create schema plain authorization touchline_transform")
    with connect(settings, "transform") as connection:
        indexes = connection.execute(
            "select tablename, indexdef from pg_indexes where schemaname in ('core', 'features')"
        ).fetchall()
    seconds = 0.0
    for name in IN_ORDER:
        if name == RATED_BEFORE:
            seconds += _timed(lambda: update_ratings(settings, START, "plain", is_full=True))[1]
        with connect(settings, "transform") as connection:
            started = time.perf_counter()
            query = texts[name]
            for other in IN_ORDER:
                for schema in ("core", "features"):
                    query = query.replace(f'"{schema}"."{other}"', f"plain.{other}")
            connection.execute(f"create table plain.{name} as {query}")  # type: ignore[arg-type]
            for table, definition in indexes:
                if table == name:
                    connection.execute(_elsewhere(definition))  # type: ignore[arg-type]
            connection.execute(sql.SQL("analyze {}").format(sql.Identifier("plain", name)))
            seconds += time.perf_counter() - started
    with connect(settings, "transform") as connection:
        connection.execute("drop schema plain cascade")
    return seconds


def _elsewhere(definition: str) -> str:
    """An index definition for the table in the schema `plain`."""
    head, _, tail = definition.partition(" INDEX ")
    _, _, tail = tail.partition(" ON ")
    return f"{head} INDEX ON {tail.replace('core.', 'plain.', 1).replace('features.', 'plain.', 1)}"


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    given = work()
    return given, time.perf_counter() - started


if __name__ == "__main__":
    main()
