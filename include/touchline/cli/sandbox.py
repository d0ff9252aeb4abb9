"""`touchline sandbox`: the simulated world, by hand."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from touchline.cli.output import PortOption, console, emit, state
from touchline.errors import ServiceFailed
from touchline.sandbox.faults import DEFAULT_RATE, PROVIDERS, Fault


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="Serve the simulated football world, move its clock, make it fail.", no_args_is_help=True
    )
    app.add_typer(group, name="sandbox")

    @group.command()
    def serve(
        ctx: typer.Context,
        port: PortOption = None,
        fault: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME[:RATE]", help=f"may be repeated: {', '.join(Fault)}, all"),
        ] = None,
    ) -> None:
        """Serve the simulated world in the foreground until interrupted."""
        from touchline.sandbox.faults import read_option
        from touchline.sandbox.server import SandboxServer

        settings = state(ctx).settings
        chosen = settings.sandbox_port if port is None else port
        try:
            listening = SandboxServer(settings.bind_host, chosen, settings.sandbox_seed, settings.home)
        except OSError as error:
            raise ServiceFailed(
                f"nothing can listen on {settings.bind_host}:{chosen} ({error.strerror}): choose another --port"
            ) from error
        with listening as server:
            try:
                for text in fault or ():
                    server.faults.switch(*read_option(text))
            except ValueError as error:
                raise typer.BadParameter(str(error), param_hint="--fault") from error
            typer.echo(
                f"Simulated world (seed {settings.sandbox_seed}) at {server.address}, {server.clock.now}"
            )
            server.serve_forever()

    @group.command()
    def clock(ctx: typer.Context) -> None:
        """Print the present of the running world (UTC)."""
        from touchline.sandbox.clock import read_clock

        _tell(ctx, read_clock(state(ctx).settings.sandbox_address).isoformat())

    @group.command()
    def advance(
        ctx: typer.Context,
        days: Annotated[float, typer.Option(help="days to move the clock forward", min=0, max=3660)] = 1.0,
    ) -> None:
        """Move the running world's clock forward: results come in, prices move, new fixtures appear."""
        from touchline.sandbox.clock import advance_clock

        _tell(ctx, advance_clock(state(ctx).settings.sandbox_address, days).isoformat())

    @group.command()
    def fault(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(help=f"{', '.join(Fault)}; all, or none")],
        rate: Annotated[
            float, typer.Option(help="share of requests that the fault hits; 0 is off", min=0, max=1)
        ] = DEFAULT_RATE,
        slow_seconds: Annotated[
            float | None, typer.Option(help="how long the pause of `slow` lasts", min=0, max=60)
        ] = None,
        source: Annotated[
            str | None, typer.Option(help="the only source whose requests are hit; all, if not said")
        ] = None,
    ) -> None:
        """Make the running world fail, or (none) stop failing; the other faults stay as they are."""
        from touchline.sandbox.faults import switch_fault

        if name not in (*Fault, "all", "none"):
            raise typer.BadParameter(f"there are {', '.join(Fault)}; all, and none", param_hint="NAME")
        if source not in (None, *PROVIDERS):
            raise typer.BadParameter(f"there are {', '.join(PROVIDERS)}", param_hint="--source")
        address = state(ctx).settings.sandbox_address
        _tell_faults(ctx, switch_fault(address, name, rate, slow_seconds, source))


def _tell_faults(ctx: typer.Context, found: dict[str, Any]) -> None:
    if state(ctx).as_json:
        emit(ctx, {**found, "is_simulated": True})
        return
    table = Table("fault", "rate", "source", "hits")
    for name, hits in found["hits"].items():
        rate = found["faults"].get(name)
        if rate is None:
            table.add_row(name, "off", "", str(hits))
        else:
            table.add_row(name, f"{rate:g}", found["sources"].get(name, "all"), str(hits))
    console.print(table)


def _tell(ctx: typer.Context, now: str) -> None:
    if state(ctx).as_json:
        emit(ctx, {"now": now, "is_simulated": True})
    else:
        typer.echo(f"The simulated world's clock stands at {now}")
