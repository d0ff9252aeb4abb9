"""`touchline monitoring`: what watches a running Touchline on this machine."""

from __future__ import annotations

import typer
from rich.table import Table

from touchline.cli.output import console, emit, state, waiting_for


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Start or stop Prometheus and what belongs to it.", no_args_is_help=True)
    app.add_typer(group, name="monitoring")

    @group.command()
    def start(ctx: typer.Context) -> None:
        """Start the exporter, and what is installed of Prometheus, Alertmanager and node exporter, beside Touchline.

        What is missing is named, with the command that installs it; the rest works without.
        """
        from touchline.operations import monitoring_services

        with waiting_for("the monitoring to start"):
            report = monitoring_services.start(state(ctx).settings)
        table = Table(title="Where to look")
        for name in ("service", "address"):
            table.add_column(name, no_wrap=True)
        for name, address in report.addresses.items():
            table.add_row(name, address)
        emit(ctx, report, table)

    @group.command()
    def stop(ctx: typer.Context) -> None:
        """Stop it, and leave all else running; what it has recorded stays."""
        from touchline.operations import monitoring_services

        stopped = monitoring_services.stop(state(ctx).settings)
        if state(ctx).as_json:
            emit(ctx, {"stopped": stopped})
        else:
            console.print(f"Stopped: {', '.join(stopped)}" if stopped else "Nothing of it was running.")

    @group.command()
    def write(ctx: typer.Context) -> None:
        """Write Alertmanager's configuration, with whom TOUCHLINE_NOTIFY_... tells, for one that runs elsewhere."""
        from touchline.operations import alertmanager

        written = str(alertmanager.write_configuration(state(ctx).settings))
        if state(ctx).as_json:
            emit(ctx, {"written": written})
        else:
            typer.echo(written)
