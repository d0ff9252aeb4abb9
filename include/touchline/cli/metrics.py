"""`touchline metrics`: serve what Prometheus scrapes, list it, and run one of its queries."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from touchline.cli.output import PortOption, emit, state

if TYPE_CHECKING:
    from collections.abc import Sequence


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Serve metrics for Prometheus, list them, run a query.", no_args_is_help=True)
    app.add_typer(group, name="metrics")
    group.command(name="serve")(_serve)
    group.command(name="list")(_list)
    group.command(name="query")(_query)


def _serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: PortOption = None,
) -> None:
    """Serve the metrics (/metrics) until interrupted."""
    from touchline.settings import inherited_environment

    settings = state(ctx).settings
    address = settings.bind_host if host is None else host
    chosen = settings.exporter_port if port is None else port
    command = [sys.executable, "-m", "touchline.exporter", "--host", address, "--port", str(chosen)]
    variables = {**inherited_environment(), **settings.environment(), **settings.passwords("metrics")}
    # In place of this process, so that signals reach the server itself.
    os.execve(sys.executable, command, variables)  # noqa: S606


def _list(
    ctx: typer.Context,
    markdown: Annotated[bool, typer.Option("--markdown", help="the table of docs/monitoring.md")] = False,
) -> None:
    """List every metric: its type, labels and meaning."""
    from touchline.exporter.catalogue import markdown as as_markdown
    from touchline.exporter.catalogue import read_catalogue

    catalogue = read_catalogue()
    if markdown:
        typer.echo(as_markdown(catalogue), nl=False)
        return
    rows = [
        {
            "metric": each.name,
            "type": each.type,
            "labels": ", ".join(each.labels),
            "query": query,
            "help": each.help,
        }
        for query, each in catalogue.metrics()
    ]
    emit(ctx, rows, _table(rows))


def _query(
    ctx: typer.Context, name: Annotated[str, typer.Argument(help="as `touchline metrics list` shows it")]
) -> None:
    """Run one query now and show its rows."""
    from touchline.exporter.catalogue import read_catalogue
    from touchline.exporter.exporter import Exporter
    from touchline.serving.present import present_of

    settings, catalogue = state(ctx).settings, read_catalogue()
    if name not in catalogue.queries:
        raise typer.BadParameter(f"{name!r}: choose from {', '.join(catalogue.queries)}")

    async def read() -> list[dict[str, Any]]:
        exporter = Exporter(settings, catalogue, present_of(settings))
        try:
            return [dict(row) for row in await exporter.rows(name)]
        finally:
            await exporter.close()

    found = asyncio.run(read())
    emit(ctx, found, _table(found))


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table()
    for column in rows[0] if rows else ():
        table.add_column(column, overflow="fold")
    for row in rows:
        # Text of a source is no markup.
        table.add_row(*("" if value is None else escape(str(value)) for value in row.values()))
    return table
