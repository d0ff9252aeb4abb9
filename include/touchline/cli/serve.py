"""`touchline serve`: the read API and the board in the foreground."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from touchline.cli.output import state
from touchline.settings import inherited_environment


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def serve(
        ctx: typer.Context, port: Annotated[int | None, typer.Option(help="TCP port to listen on")] = None
    ) -> None:
        """Serve the read API, its documentation (/docs) and the board (/) until interrupted."""
        settings = state(ctx).settings
        chosen = settings.api_port if port is None else port
        command = [sys.executable, "-m", "touchline.serving", "--port", str(chosen)]
        # A process of its own: the server starts workers that must find these settings in their environment.
        variables = {**inherited_environment(), **settings.environment()}
        raise typer.Exit(subprocess.call(command, env=variables))
