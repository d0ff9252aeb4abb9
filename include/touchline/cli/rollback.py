"""`touchline rollback`: undo a promotion."""

from __future__ import annotations

import typer

from touchline.cli.output import emit, ready


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Undo a promotion.", no_args_is_help=True)
    app.add_typer(group, name="rollback")

    @group.callback()
    def rollback_group() -> None:
        """Undo a promotion."""

    @group.command(name="model")
    def model(ctx: typer.Context) -> None:
        """Give the alias champion back to the version that held it before."""
        from touchline.registry.models import rollback
        from touchline.registry.tracking import open_registry

        emit(ctx, rollback(open_registry(ready(ctx, "mlflow"))))
