"""`touchline run`, `up`, `down` and `status`: the whole installation."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.status import Status
from rich.table import Table

from touchline.cli.output import DEGRADED, PARTLY_FAILED, console, emit, errors, state
from touchline.cli.predict import upcoming_table
from touchline.cli.skill import skill_table

if TYPE_CHECKING:
    from touchline.operations.status import StatusReport

INTERRUPTED = 130
ENDINGS = (signal.SIGTERM, signal.SIGINT)


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def run(
        ctx: typer.Context,
        timeout_minutes: Annotated[
            float, typer.Option(help="give up following after this long", min=1)
        ] = 120,
    ) -> None:
        """Run everything from nothing to predictions on screen, through Airflow; leave it running.

        Exit code 4 when it ends as degraded: a fixture ahead without a prediction, a competition held, nothing
        collected. Exit code 3 when a file could not be fetched or read.
        """
        from touchline.cli.run_display import RunDisplay
        from touchline.operations.run import run_pipeline

        settings = state(ctx).settings
        ctx.with_resource(first_login_shown(ctx))
        try:
            with RunDisplay(errors, quiet=state(ctx).as_json) as display:
                report = run_pipeline(settings, timeout_minutes * 60, display.tell, display.watch)
        except KeyboardInterrupt as interrupt:
            errors.print(
                "Interrupted. The services go on with the work; `make run` follows it again, `make down` stops them."
            )
            raise typer.Exit(INTERRUPTED) from interrupt
        emit(ctx, report, upcoming_table(settings), skill_table(settings), _address_table(report.addresses))
        for problem in report.problems:
            errors.print(f"[yellow]not read[/]: {problem}", highlight=False)
        if not state(ctx).as_json:
            console.print("Everything keeps running; `make down` stops it.")
        if report.shortfalls or report.problems:
            raise typer.Exit(DEGRADED if report.shortfalls else PARTLY_FAILED)

    @app.command()
    def up(
        ctx: typer.Context,
        foreground: Annotated[
            bool, typer.Option("--foreground", help="stay until told to end, then stop everything")
        ] = False,
    ) -> None:
        """Start everything and leave it running; Airflow then runs the DAGs on their schedules.

        With --foreground it can be the one process of a container, or of a systemd service.
        """
        from touchline.operations import run as operations
        from touchline.operations import services

        settings = state(ctx).settings
        ended = threading.Event()
        if foreground:
            # Not blocked: the services would inherit that.
            for ending in ENDINGS:
                signal.signal(ending, lambda *_: ended.set())
        ctx.with_resource(first_login_shown(ctx))
        with Status("starting", console=errors) as status:
            operations.start(settings, lambda name: status.update(f"starting {name}"))
        found = operations.addresses(settings)
        emit(ctx, found) if state(ctx).as_json else console.print(_address_table(found))
        if foreground:
            # A signal that another thread was given does not wake this one.
            while not ended.wait(1):
                pass
            services.stop_all(settings)

    @app.command()
    def down(ctx: typer.Context) -> None:
        """Stop everything; nothing is lost, and `touchline up` continues from there."""
        from touchline.operations import services

        stopped = services.stop_all(state(ctx).settings)
        if state(ctx).as_json:
            emit(ctx, {"stopped": stopped})
        else:
            console.print(f"Stopped: {', '.join(stopped)}" if stopped else "Nothing was running.")

    @app.command(name="status")
    def status_command(ctx: typer.Context) -> None:
        """Show what is running, where, for how long, and what was started again.

        Exit code 1 when a service died and nobody starts it again.
        """
        from touchline.operations.status import status

        report = status(state(ctx).settings)
        emit(ctx, report, _status_table(report))
        if report.given_up:
            raise typer.Exit(1)


@contextmanager
def first_login_shown(ctx: typer.Context) -> Iterator[None]:
    """Show Airflow's generated password at the end of the command that made it, however it ends."""
    from touchline.cli.airflow import login_line, login_of
    from touchline.operations.airflow_settings import passwords_file

    settings = state(ctx).settings
    was_made = passwords_file(settings).exists()
    try:
        yield
    finally:
        if not was_made and passwords_file(settings).exists() and not state(ctx).as_json:
            line = f"{login_line(login_of(settings))} (shown once; again: touchline airflow login)"
            errors.print(line, highlight=False, soft_wrap=True)


def _address_table(addresses: dict[str, str]) -> Table:
    table = Table(title="Where to look")
    table.add_column("page")
    table.add_column("address", no_wrap=True)
    for name, address in addresses.items():
        table.add_row(name, address)
    return table


def _status_table(report: StatusReport) -> Table:
    table = Table(title="Touchline services")
    for name in ("service", "state", "pid", "up for", "restarts", "address", "note"):
        table.add_column(name, no_wrap=name == "address")
    colours = {"running": "green", "stopped": "dim", "died": "bold red", "given up": "bold red"}
    for service in report.services:
        colour = colours.get(service.state, "yellow")
        table.add_row(
            service.service,
            f"[{colour}]{service.state}[/]",
            str(service.pid or ""),
            _duration(service.uptime_seconds),
            str(service.n_restarts or ""),
            service.address,
            service.note,
        )
    return table


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {left:02d} s" if minutes else f"{left} s"
    )
