"""`touchline anomalies`: search for anomalies by hand, list them, show one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from touchline.cli.output import LimitOption, console, emit, errors, read_moment, ready, state
from touchline.cli.step import emit_report, run_step

if TYPE_CHECKING:
    from touchline.anomalies.listing import Anomaly

SinceOption = Annotated[str | None, typer.Option(help="2023-03-10 or with a time")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="Find, list and show anomalies in prices, results, volumes and features.", no_args_is_help=True
    )
    app.add_typer(group, name="anomalies")

    @group.command(name="find")
    def find_command(ctx: typer.Context, since: SinceOption = None) -> None:
        """Search what became known since the last search, or since a day; history takes a second for four weeks."""
        from touchline.operations.steps import searching

        emit_report(ctx, run_step(ctx, searching(read_moment(since, "--since")), is_forced=True))

    @group.command(name="list")
    def list_command(
        ctx: typer.Context,
        detector: Annotated[str | None, typer.Option(help="only of this detector")] = None,
        competition: Annotated[
            str | None, typer.Option(help="only in this competition, for example E0")
        ] = None,
        since: SinceOption = None,
        limit: LimitOption = 50,
    ) -> None:
        """List findings, the newest and most unusual first."""
        from touchline.anomalies.listing import list_anomalies

        start = read_moment(since, "--since")
        found = list_anomalies(ready(ctx), state(ctx).clock.as_of, start, detector, competition, limit)
        if state(ctx).as_json:
            emit(ctx, [asdict(each) for each in found])
        elif found:
            console.print(_table(found))
        else:
            errors.print("No anomaly fits.")

    @group.command(name="show")
    def show_command(
        ctx: typer.Context,
        anomaly_id: Annotated[int, typer.Argument(help="number in the list", min=1, max=2**63 - 1)],
    ) -> None:
        """Show one finding: what, where, how unusual, compared with what, and what to do."""
        from touchline.anomalies.listing import show_anomaly

        found = show_anomaly(ready(ctx), state(ctx).clock.as_of, anomaly_id)
        table = Table(title=f"Anomaly {anomaly_id}", show_header=False)
        table.add_column("field")
        table.add_column("value", overflow="fold")
        for name, value in asdict(found).items():
            table.add_row(name.replace("_", " "), "" if value is None else str(value))
        emit(ctx, found, table)


def _table(found: list[Anomaly]) -> Table:
    table = Table(title="Anomalies")
    for name in ("no.", "as of (UTC)", "detector", "where", "what"):
        table.add_column(name, overflow="fold")
    for name in ("observed", "expected", "score"):
        table.add_column(name, justify="right")
    for each in found:
        numbers = (
            "" if value is None else f"{value:.2f}" for value in (each.observed, each.expected, each.score)
        )
        when = f"{each.as_of:%Y-%m-%d %H:%M}"
        table.add_row(str(each.anomaly_id), when, each.detector, each.place, each.what, *numbers)
    return table
