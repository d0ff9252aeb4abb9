"""`touchline catalogue`: every table with its owner, grain and freshness."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from touchline.cli.output import emit, ready, state

if TYPE_CHECKING:
    from touchline.warehouse.catalogue import CatalogueEntry

COLOURS = {"fresh": "[green]fresh[/]", "late": "[bold red]late[/]", "empty": "[yellow]empty[/]"}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="catalogue")
    def catalogue_command(
        ctx: typer.Context,
        schema: Annotated[str | None, typer.Option(help="only this schema, for example core")] = None,
    ) -> None:
        """Show all tables and views: owner, grain, promised freshness, and the age as of now."""
        from touchline.warehouse.catalogue import SCHEMAS, catalogue

        if schema is not None and schema not in SCHEMAS:
            raise typer.BadParameter(f"{schema!r}: choose from {', '.join(SCHEMAS)}")
        found = catalogue(ready(ctx), state(ctx).clock.as_of, schema)
        if state(ctx).as_json:
            emit(ctx, [asdict(entry) for entry in found])
        else:
            emit(ctx, found, _table(found))


def _table(found: list[CatalogueEntry]) -> Table:
    table = Table(title="Tables and views")
    for name in ("table", "owner", "one row is", "promise", "age", "state"):
        table.add_column(name, overflow="fold")
    for entry in found:
        table.add_row(
            entry.name, entry.owner or "", entry.grain or "", entry.freshness or "", _age(entry.age_hours),
            COLOURS.get(entry.state, ""),
        )  # fmt: skip
    return table


def _age(hours: float | None) -> str:
    if hours is None:
        return ""
    return f"{hours * 60:.0f} min" if hours < 1 else f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} d"
