"""A healthy season of 22 competitions replayed week by week: how often each gate rule warned, left out and held.

Every Friday the folder holds what the site would have held then: season files with the results published by that day,
and the list of the coming week with the prices collected so far. It is collected, checked, built and checked again, as
in production. Two seasons before it are loaded first and not counted. The data was read by people for years, so nearly
every warning is a false one; docs/quality.md says which, after a look at the rows.
"""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.real_seasons import archive
from touchline.clock import virtual_clock
from touchline.database import bootstrap, embedded
from touchline.identity.teams import ANCHOR
from touchline.landing.collect import collect
from touchline.quality.findings import Finding
from touchline.quality.gates import check_core, check_landing
from touchline.quality.history import count_rules
from touchline.settings import Settings
from touchline.sources.configuration import read_configuration
from touchline.sources.football_data_uk.addresses import FIXTURES
from touchline.sources.football_data_uk.folder import FolderSource
from touchline.sources.football_data_uk.parse import read_date
from touchline.sources.source import KINDS, Reply
from touchline.warehouse.build import build_layer

HISTORY = ("2021", "2122")
SEASON = "2223"
LOADED = datetime(2022, 7, 15, 16, tzinfo=UTC)
FIRST, LAST = datetime(2022, 7, 22, 16, tzinfo=UTC), datetime(2023, 6, 16, 16, tzinfo=UTC)
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Said:
    """What a rule or expectation said in one week: `rows` are the findings themselves, or how many there were."""

    week: datetime
    gate: str
    rule: str
    severity: str
    n: int
    rows: tuple[str, ...]


def main() -> None:
    """Replay, and print the counts and every finding."""
    if not archive().exists():
        Console().print(f"healthy season: skipped, there is no real data at {archive()}")
        return
    said: list[Said] = []
    n_weeks, started = 0, time.perf_counter()
    with _world() as (everything, settings):
        for season in HISTORY:
            shutil.copytree(everything / season, Path(settings.source) / season)
        _week(settings, LOADED)
        source = FolderSource(everything, read_configuration().sources[ANCHOR].competitions.values())
        week = FIRST
        while week <= LAST:
            _write_week(source, Path(settings.source), week)
            said += _week(settings, week)
            Console().print(f"  {week:%Y-%m-%d}: {time.perf_counter() - started:.0f} s")
            n_weeks += 1
            week += WEEK
    _print(said, n_weeks, time.perf_counter() - started)


def _week(settings: Settings, as_of: datetime) -> list[Said]:
    run_id = f"week-{as_of:%Y-%m-%d}"
    collect(settings, virtual_clock(as_of), run_id)
    gates = {"landing": check_landing(settings, as_of, run_id)}
    build_layer(settings, "core", as_of, run_id)
    gates["core"] = check_core(settings, as_of, run_id)
    found = [
        _said(as_of, gate, finding)
        for gate, report in gates.items()
        for finding in report.findings
        if not finding.success
    ]
    told = {each.rule for each in found}
    parsing = [
        Said(as_of, "parsing", each.rule, each.severity, each.n_in_run, ())
        for each in count_rules(settings, run_id)
        if each.n_in_run and each.severity != "fill" and f"landing_rules.{each.rule}" not in told
    ]
    return parsing + found


def _said(as_of: datetime, gate: str, finding: Finding) -> Said:
    name = f"{finding.suite}.{finding.column or finding.expectation}"
    return Said(as_of, gate, name, finding.severity, finding.n_unexpected or 1, finding.samples)


def _write_week(source: FolderSource, folder: Path, as_of: datetime) -> None:
    """Write what the site would have held at `as_of` (UTC) into a folder."""
    for request in source.requests(KINDS, as_of):
        reply = source.fetch(request, as_of, {})
        assert isinstance(reply, Reply)
        if request.endpoint == FIXTURES:
            path, body = folder / FIXTURES, _coming_week(reply.body, as_of)
        else:
            path, body = folder / request.endpoint.removeprefix("mmz4281/"), reply.body
        # A file appears with its first match.
        if body.count(b"\n") > 1 and path.parent.name not in HISTORY:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(body)


def _coming_week(body: bytes, as_of: datetime) -> bytes:
    lines = csv.reader(io.StringIO(body.decode()))
    header = next(lines)
    day = header.index("Date")
    kept = io.StringIO()
    writer = csv.writer(kept, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(row for row in lines if (read_date(row[day]) or as_of.date()) < (as_of + WEEK).date())
    return kept.getvalue().encode()


def _print(said: list[Said], n_weeks: int, seconds: float) -> None:
    console = Console(width=200)
    table = Table(title=f"{n_weeks} weeks of {SEASON}, {seconds:.0f} s")
    for name in ("gate", "rule", "severity", "weeks", "findings"):
        table.add_column(name, justify="right" if name in ("weeks", "findings") else "left")
    for gate, rule, severity in sorted({(each.gate, each.rule, each.severity) for each in said}):
        of_rule = [each for each in said if (each.gate, each.rule) == (gate, rule)]
        table.add_row(gate, rule, severity, str(len(of_rule)), str(sum(each.n for each in of_rule)))
    console.print(table)
    for each in said:
        for row in each.rows:
            text = f"{each.week:%Y-%m-%d} {each.gate} {each.rule} ({each.n}): {row}"
            console.print(text, markup=False, soft_wrap=True)


@contextmanager
def _world() -> Iterator[tuple[Path, Settings]]:
    """The real season files of these seasons, and settings with a database and a folder of their own."""
    everything, folder, home = (Path(tempfile.mkdtemp()) for _ in range(3))
    home.chmod(0o755)
    settings = Settings(
        home=home, source=str(folder), postgres_port=0, database_name="touchline_benchmark", data_docs=False
    )
    try:
        shutil.unpack_archive(archive(), everything)
        for season in everything.iterdir():
            if season.name not in (*HISTORY, SEASON):
                shutil.rmtree(season)
        bootstrap.prepare(settings)
        yield everything, settings
    finally:
        embedded.stop(settings)
        for each in (everything, folder, home):
            shutil.rmtree(each)


if __name__ == "__main__":
    main()
