"""Backup and restore of a warehouse with every real season file, beside `pg_dump` in the same run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.own_server import own_server
from benchmarks.real_seasons import archive, unpacked
from touchline.backup.compare import check_backup
from touchline.backup.restore import restored
from touchline.backup.take import back_up
from touchline.clock import virtual_clock
from touchline.database import embedded
from touchline.database.engine import open_url, scalar
from touchline.landing.collect import collect
from touchline.ratings.update import update_ratings
from touchline.settings import PROJECT_ROOT, Backup, Settings
from touchline.warehouse.build import build_layer

AS_OF: Final = datetime(2023, 3, 11, 3, tzinfo=UTC)
MIB: Final = 2**20


def main() -> None:
    """Build, take a full and an incremental backup, restore and compare, and print a row for each."""
    if not archive().exists():
        Console().print(f"backup: skipped, it needs real data at {archive()}")
        return
    with tempfile.TemporaryDirectory() as folder, unpacked() as files:
        Path(folder).chmod(0o755)
        backup = Backup(folder=Path(folder) / "backups")
        with (
            own_server(source=str(files), history_seasons=40, backup=backup) as settings,
            _receiving(settings),
        ):
            _build(settings)
            _measure(settings, Path(folder))


def _build(settings: Settings) -> None:
    collect(settings, virtual_clock(AS_OF), "benchmark")
    _build_layers(settings, AS_OF)


def _build_layers(settings: Settings, as_of: datetime) -> None:
    build_layer(settings, "core", as_of, f"benchmark-{as_of:%d}")
    update_ratings(settings, as_of, f"benchmark-{as_of:%d}")
    for layer in ("features", "analytics"):
        build_layer(settings, layer, as_of, f"benchmark-{as_of:%d}")


def _measure(settings: Settings, folder: Path) -> None:
    table = Table(title="Backup and restore")
    table.add_column("what", no_wrap=True)
    for name in ("seconds", "of pg_dump", "MiB"):
        table.add_column(name, justify="right")
    with open_url(settings.admin_url) as connection:
        size = scalar(connection, "select sum(pg_database_size(datname)) from pg_database")
    dump = folder / "dump"
    began = time.monotonic()
    _program("pg_dump", settings, "--format=directory", "--jobs=2", f"--file={dump}")
    dumped = time.monotonic() - began
    table.add_row("the databases", "", "", f"{int(size) / MIB:,.0f}")
    table.add_row("pg_dump, two jobs", f"{dumped:.1f}", "1.00", f"{_size(dump) / MIB:,.0f}")
    for name in ("full backup", "incremental, a day later"):
        if name != "full backup":
            _build_layers(settings, AS_OF + timedelta(days=1))
        began = time.monotonic()
        taken = back_up(settings).backup
        seconds = time.monotonic() - began
        table.add_row(name, f"{seconds:.1f}", f"{seconds / dumped:.2f}", f"{taken.n_bytes / MIB:,.0f}")
    began = time.monotonic()
    with restored(settings, folder / "restored"):
        seconds = time.monotonic() - began
    table.add_row("restore of both and the log", f"{seconds:.1f}", f"{seconds / dumped:.2f}", "")
    began = time.monotonic()
    report = check_backup(settings)
    seconds = time.monotonic() - began
    table.add_row("the same, compared row for row", f"{seconds:.1f}", f"{seconds / dumped:.2f}", "")
    Console(width=100).print(table)
    Console(width=100).print(report.summary)


def _program(name: str, settings: Settings, *arguments: str) -> None:
    address = f"--dbname={settings.admin_url.rpartition('/')[0]}/{settings.warehouse_database}"
    subprocess.run([str(embedded.program_folder() / name), address, *arguments], check=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def _receiving(settings: Settings) -> Iterator[None]:
    """The service that ships the log."""
    variables = {**settings.environment(), **settings.passwords("backup"), "PATH": "/usr/bin:/bin"}
    variables["PYTHONPATH"] = str(PROJECT_ROOT / "include")
    with subprocess.Popen([sys.executable, "-m", "touchline.backup.receive"], env=variables) as process:
        try:
            yield
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
