"""`touchline doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.table import Table

from touchline.cli.output import DEGRADED, emit, state
from touchline.errors import TouchlineError

if TYPE_CHECKING:
    from touchline.operations.doctor import DoctorReport

MARKS = {
    "ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "degraded": "[bold yellow]degraded[/]",
    "failed": "[bold red]failed[/]",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def doctor(ctx: typer.Context) -> None:
        """Check what is installed, running, reachable, migrated, fresh and complete.

        Exit code 1 when something failed, 4 when everything works and something is missing.
        """
        from touchline.operations.doctor import examine

        try:
            as_of = state(ctx).clock.as_of
        except (TouchlineError, OSError):
            # A sandbox that does not answer is one of the findings.
            as_of = None
        report = examine(state(ctx).settings, as_of)
        emit(ctx, report, _table(report))
        if not report.is_healthy:
            raise typer.Exit(1)
        if report.is_degraded:
            raise typer.Exit(DEGRADED)


def _table(report: DoctorReport) -> Table:
    table = Table(title="Touchline doctor")
    for name in ("what", "state", "finding", "what to do"):
        table.add_column(name)
    for check in report.checks:
        table.add_row(
            check.subject, MARKS[check.state], check.finding, check.advice if check.state != "ok" else ""
        )
    return table
