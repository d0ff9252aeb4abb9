"""`touchline sandbox`: the simulated world, by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from touchline.cli.output import emit, state
from touchline.settings import Settings
from touchline.sources.sandbox.clock import advance_clock, read_clock
from touchline.sources.sandbox.server import SandboxServer


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="The simulated football world: serve it, read and move its clock.", no_args_is_help=True
    )
    app.add_typer(group, name="sandbox")

    @group.command()
    def serve(
        ctx: typer.Context, port: Annotated[int | None, typer.Option(help="0 takes any free one")] = None
    ) -> None:
        """Serve the simulated world in the foreground until interrupted."""
        settings = state(ctx).settings
        chosen = settings.sandbox_port if port is None else port
        with SandboxServer(settings.bind_host, chosen, settings.sandbox_seed, settings.home) as server:
            typer.echo(
                f"Simulated world (seed {settings.sandbox_seed}) at {server.address}, {server.clock.now}"
            )
            server.serve_forever()

    @group.command()
    def clock(ctx: typer.Context) -> None:
        """Print the present of the running world (UTC)."""
        _tell(ctx, read_clock(_address(state(ctx).settings)).isoformat())

    @group.command()
    def advance(
        ctx: typer.Context,
        days: Annotated[float, typer.Option(help="days to move the clock forward", min=0)] = 1.0,
    ) -> None:
        """Move the running world's clock forward: results come in, prices move, new fixtures appear."""
        _tell(ctx, advance_clock(_address(state(ctx).settings), days).isoformat())


def _tell(ctx: typer.Context, now: str) -> None:
    if state(ctx).as_json:
        emit(ctx, {"now": now, "is_simulated": True})
    else:
        typer.echo(f"The simulated world's clock stands at {now}")


def _address(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.running_port('sandbox', settings.sandbox_port)}"
