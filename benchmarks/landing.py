"""Landing of all real season files, against a plain COPY of the same quotes into a table without indexes."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.own_server import own_server
from touchline.clock import virtual_clock
from touchline.database.engine import connect
from touchline.landing.collect import collect
from touchline.settings import PROJECT_ROOT, Settings

AS_OF = datetime(2023, 7, 10, tzinfo=UTC)


def main() -> None:
    """Load everything into a server of its own and print seconds, rows and the ratio."""
    shared = Path(os.environ.get("TOUCHLINE_SHARED_DATA", PROJECT_ROOT.parent / "shared" / "data"))
    archive = shared / "football_data_uk" / "season_files_1993_2023.tar.xz"
    if not archive.exists():
        Console().print(f"landing: skipped, there is no real data at {archive}")
        return
    with tempfile.TemporaryDirectory() as folder, own_server(source=folder) as settings:
        shutil.unpack_archive(archive, folder)
        started = time.perf_counter()
        report = collect(settings, virtual_clock(AS_OF), "benchmark")
        landed = time.perf_counter() - started
        plain = _plain_copy(settings)
    table = Table(title="Landing all real season files")
    for name in ("what", "rows", "seconds", "ratio"):
        table.add_column(name, justify="left" if name == "what" else "right")
    table.add_row(
        "collect (read, store, parse, check, write)",
        f"{report.parsed:,} matches, {report.new_quotes:,} quotes", f"{landed:.1f}", f"{landed / plain:.1f}",
    )  # fmt: skip
    table.add_row("plain COPY of the same quotes, no index", f"{report.new_quotes:,}", f"{plain:.1f}", "1.0")
    Console().print(table)


def _plain_copy(settings: Settings) -> float:
    with connect(settings, "owner") as connection:
        connection.execute("create table landing.plain (like landing.odds_observation)")
        text = io.BytesIO()
        with connection.cursor().copy("copy (select * from landing.odds_observation) to stdout") as copy:
            for block in copy:
                text.write(block)
        started = time.perf_counter()
        with connection.cursor().copy("copy landing.plain from stdin") as copy:
            copy.write(text.getbuffer())
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
