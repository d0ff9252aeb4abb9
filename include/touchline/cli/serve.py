"""`touchline serve`: the read API and the board in the foreground."""

from __future__ import annotations

import os
import sys

import typer

from touchline.cli.output import PortOption, state


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def serve(ctx: typer.Context, port: PortOption = None) -> None:
        """Serve the read API, its documentation (/docs) and the board (/) until interrupted."""
        from touchline.settings import inherited_environment

        settings = state(ctx).settings
        chosen = settings.api_port if port is None else port
        command = [sys.executable, "-m", "touchline.serving", "--port", str(chosen)]
        # In place of this process: signals reach the server itself, and its workers find these settings in
        # their environment.
        variables = {
            **inherited_environment(),
            **settings.environment(),
            **settings.access.environment(),
            **settings.passwords("api", "access"),
        }
        os.execve(sys.executable, command, variables)  # noqa: S606
