"""`touchline quality`: run a gate by hand."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from touchline.cli.output import emit, state
from touchline.database.bootstrap import prepare
from touchline.operations.services import ensure_source
from touchline.run_id import new_run_id

GATES = ("landing", "core", "features")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Quality gates (Great Expectations).", no_args_is_help=True)
    app.add_typer(group, name="quality")

    @group.command()
    def check(
        ctx: typer.Context, gate: Annotated[str, typer.Argument(help=f"one of {', '.join(GATES)}")]
    ) -> None:
        """Run a gate; exit code 1, with the failing expectations and sample rows, when it blocks."""
        # Great Expectations takes seconds to import, which no other command should wait for.
        from touchline.quality import gates

        if gate not in GATES:
            raise typer.BadParameter(f"{gate!r}: choose from {', '.join(GATES)}")
        settings = state(ctx).settings
        prepare(settings)
        ensure_source(settings)
        checks = {"landing": gates.check_landing, "core": gates.check_core, "features": gates.check_features}
        report = checks[gate](settings, state(ctx).clock.as_of, new_run_id("quality"))
        table = Table(title=f"Gate {gate}")
        for name in ("suite", "expectation", "column", "severity", "result"):
            table.add_column(name)
        for finding in report.findings:
            result = "ok" if finding.success else finding.observed
            table.add_row(finding.suite, finding.expectation, finding.column or "", finding.severity, result)
        emit(ctx, report, table)
        if not state(ctx).as_json:
            typer.echo(f"Data Docs: {report.data_docs}")
