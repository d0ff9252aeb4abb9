"""`touchline collect`: fetch and land what the source offers."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from touchline.cli.output import emit, errors, state
from touchline.database.bootstrap import prepare
from touchline.landing.collect import CollectReport, collect
from touchline.operations.services import ensure_source
from touchline.run_id import new_run_id
from touchline.sources.source import KINDS, Kind

PARTLY_FAILED = 3


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="collect")
    def collect_command(
        ctx: typer.Context,
        kind: Annotated[
            list[str] | None,
            typer.Option(help=f"what to collect ({', '.join(KINDS)}); everything if not given"),
        ] = None,
    ) -> None:
        """Fetch and land fixtures, odds and scores; every row is parsed or rejected with its reason.

        Exit code 0: all files read (single rows may be rejected, see the counts). 3: some file could not be
        had or read at all; everything else was kept. 1: nothing could be collected.
        """
        unknown = set(kind or ()) - set(KINDS)
        if unknown:
            raise typer.BadParameter(f"{', '.join(sorted(unknown))}: choose from {', '.join(KINDS)}")
        wanted: list[Kind] = [name for name in KINDS if not kind or name in kind]
        settings = state(ctx).settings
        prepare(settings)
        ensure_source(settings)
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=errors, transient=True, disable=state(ctx).as_json,
        ) as progress:  # fmt: skip
            bars = {name: progress.add_task(name, total=None) for name in ("fetch", "parse")}
            report = collect(
                settings, state(ctx).clock, new_run_id("collect"), wanted,
                on_progress=lambda name, done, total: progress.update(bars[name], completed=done, total=total),
            )  # fmt: skip
        emit(ctx, report, _table(report))
        if report.problems:
            raise typer.Exit(PARTLY_FAILED)


def _table(report: CollectReport) -> Table:
    table = Table(title=f"Collected from {report.source} as of {report.as_of[:16]}")
    for name in ("season or file", "files", "rows", "parsed", "rejected", "prices set aside", "new quotes"):
        table.add_column(name, justify="left" if name == "season or file" else "right")
    groups: dict[str, list[int]] = {}
    for file in report.files:
        parts = file.endpoint.split("/")
        name = parts[1] if len(parts) == 3 else file.endpoint
        counts = [1, file.rows, file.parsed, file.rejected, file.rejected_prices, file.new_quotes]
        groups[name] = [a + b for a, b in zip(groups.get(name, [0] * len(counts)), counts, strict=True)]
    for name, counts in groups.items():
        table.add_row(name, *(f"{count:,}" for count in counts))
    return table
