"""`touchline compact`: keep the opening, closing and hourly prices of closed months, and those predictions used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from touchline.cli.output import emit, ready, state


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="compact")
    def compact_command(
        ctx: typer.Context,
        before: Annotated[
            str, typer.Option(help="first month to leave alone: 2026-01 compacts all months before it")
        ],
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="show what would be dropped, drop nothing")
        ] = False,
    ) -> None:
        """Drop price ticks of closed months except opening, closing and hourly ones and those that predictions used."""
        from touchline.landing.compaction import compact
        from touchline.run_id import new_run_id

        try:
            month = datetime.strptime(before, "%Y-%m").replace(tzinfo=UTC)
        except ValueError as error:
            raise typer.BadParameter(f"{before!r} is not a month: write 2026-01") from error
        settings = ready(ctx)
        report = compact(settings, month, state(ctx).clock.as_of, new_run_id("compact"), is_dry_run=dry_run)
        table = Table(title="Compaction of price ticks" + (" (dry run)" if dry_run else ""))
        for name in ("partition", "rows before", "rows after"):
            table.add_column(name, justify="left" if name == "partition" else "right")
        for done in report.months:
            table.add_row(done.partition, f"{done.rows_before:,}", f"{done.rows_after:,}")
        emit(ctx, report, table)
