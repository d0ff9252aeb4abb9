"""`touchline maintenance`: alert nobody while operators are at work."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from touchline.cli.output import PARTLY_FAILED, console, emit, errors, read_span, ready, state

if TYPE_CHECKING:
    from touchline.operations.maintenance import Maintenance

N_SHOWN = 10
# Who works for longer declares it again; who forgets to end it is alerted again.
LONGEST = timedelta(days=7)

WhoOption = Annotated[str | None, typer.Option("--by", help="who declares it; your login name if not given")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Alert nobody while operators are at work.")
    app.add_typer(group, name="maintenance")
    group.callback(invoke_without_command=True)(_show)
    group.command()(start)
    group.command()(end)


def _show(ctx: typer.Context) -> None:
    """Show the maintenance in force and the last ones. Times are UTC, by the wall clock."""
    if ctx.invoked_subcommand is not None:
        return
    from touchline.clock import live_clock
    from touchline.operations import maintenance

    settings, now = ready(ctx), live_clock().as_of
    found = maintenance.last(settings, N_SHOWN)
    current = next((each for each in found if each.starts_at <= now < each.ends_at), None)
    if state(ctx).as_json:
        emit(ctx, {"in_force": current and asdict(current), "last": [asdict(each) for each in found]})
        return
    console.print(_told(current) if current else "No maintenance is in force.", markup=False)
    if found:
        console.print(_table(found))


def start(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="what is done, for those who look")],
    lasts: Annotated[str, typer.Option("--for", help="for how long: 30m, 2h, 1d; at most 7d")] = "1h",
    who: WhoOption = None,
) -> None:
    """Alert nobody from now on, for so long: alerts of Alertmanager are silenced, notices of DAGs kept back.

    Afterwards everything is as before, by itself; what is still open then is told. Exit code 3 when an Alertmanager was
    started and does not answer: it may go on to alert.
    """
    from touchline.clock import live_clock
    from touchline.operations import maintenance

    if not reason.strip():
        raise typer.BadParameter("say what is done", param_hint="--reason")
    if not (span := read_span(lasts, "--for", LONGEST)):
        raise typer.BadParameter("write at least 1m", param_hint="--for")
    settings, now = ready(ctx), live_clock().as_of
    declared = maintenance.declare(settings, reason.strip(), who or getpass.getuser(), now, now + span)
    _tell(ctx, declared, _told(declared), "Notices of DAGs are kept back all the same.")


def end(ctx: typer.Context, who: WhoOption = None) -> None:
    """End the maintenance in force before its time."""
    from touchline.clock import live_clock
    from touchline.operations import maintenance

    settings, now = ready(ctx), live_clock().as_of
    ended = maintenance.end(settings, who or getpass.getuser(), now)
    _tell(
        ctx, ended, "Ended. What is still open is told: alerts at once, notices of DAGs with the next run that sends.",
        "Its silence ends by itself when the maintenance would have.",
    )  # fmt: skip


def _tell(ctx: typer.Context, found: Maintenance, told: str, what_holds: str) -> None:
    """Let Alertmanager know, and say what came of it."""
    from touchline.clock import live_clock
    from touchline.errors import ServiceFailed
    from touchline.operations import maintenance

    problem = None
    try:
        maintenance.tell_alertmanager(state(ctx).settings, live_clock().as_of)
    except ServiceFailed as error:
        problem = str(error)
    if state(ctx).as_json:
        emit(ctx, {**asdict(found), "problem": problem})
    else:
        console.print(told, markup=False)
    if problem is not None:
        errors.print(
            f"[yellow]Alertmanager was not told[/]: {escape(problem)}\n{what_holds} When it runs again, "
            "`touchline monitoring start` tells it.",
            highlight=False,
        )
        raise typer.Exit(PARTLY_FAILED)


def _told(found: Maintenance) -> str:
    return (
        f"Nobody is alerted until {found.ends_at:%Y-%m-%d %H:%M} UTC: {found.reason} "
        f"(declared by {found.declared_by}; `touchline maintenance end` ends it)."
    )


def _table(found: list[Maintenance]) -> Table:
    table = Table(title="Maintenance, newest first")
    for name in ("from (UTC)", "until", "declared by", "why", "ended by"):
        table.add_column(name)
    for each in found:
        table.add_row(
            f"{each.starts_at:%Y-%m-%d %H:%M}", f"{each.ends_at:%Y-%m-%d %H:%M}", escape(each.declared_by),
            escape(each.reason), escape(each.ended_by or ""),
        )  # fmt: skip
    return table
