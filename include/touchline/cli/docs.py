"""`touchline docs`: the documentation site of the warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from touchline.cli.output import emit, folder_to_write, ready, state


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def docs(
        ctx: typer.Context,
        to: Annotated[
            Path | None,
            typer.Option(help="folder of the site; <home>/docs if not given", callback=folder_to_write),
        ] = None,
    ) -> None:
        """Describe every table and column on one page (index.html) that opens without server or internet."""
        from touchline.warehouse.documentation import build_documentation

        settings = ready(ctx)
        emit(ctx, build_documentation(settings, state(ctx).clock.as_of, to or settings.home / "docs"))
