"""`touchline backup` and `touchline restore`: take, list, check and restore backups."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from touchline.cli.output import emit, read_moment, ready, state

MIB = 2**20


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command(name="backup")(backup)
    app.command(name="restore")(restore)


def backup(
    ctx: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="a full one, whatever the last one was")] = False,
    listing: Annotated[bool, typer.Option("--list", help="take none: list those there are")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="take none: restore the last one, compare every table with the source"),
    ] = False,
) -> None:
    """Take a backup into TOUCHLINE_BACKUP_FOLDER; incremental where it can be."""
    if listing + check + full > 1:
        raise typer.BadParameter("give one of --full, --list and --check")
    if listing:
        from touchline.backup.store import open_store

        backups = open_store(state(ctx).settings).backups()
        table = Table(title="Backups")
        for name in ("backup", "continues", "MiB"):
            table.add_column(name, justify="right" if name == "MiB" else "left", no_wrap=True)
        for each in backups:
            table.add_row(each.backup_id, each.parent or "", f"{each.n_bytes / MIB:,.1f}")
        emit(ctx, [asdict(each) for each in backups], table)
        return
    from touchline.operations.pipeline import run_step
    from touchline.operations.steps import STEPS
    from touchline.run_id import new_run_id

    step = STEPS["check_backup" if check else "back_up"]
    outcome = run_step(ready(ctx), step, new_run_id("backup"), is_full=full)
    emit(ctx, outcome)


def restore(
    ctx: typer.Context,
    to: Annotated[
        Path, typer.Option(help="an empty folder, or one that is made; it becomes a home of its own")
    ],
    at: Annotated[
        str | None,
        typer.Option(help="as of when, UTC: 2026-03-10T18:00Z; as late as the log reaches if not given"),
    ] = None,
    of: Annotated[
        str | None, typer.Option(help="the backup to begin with; the last one before if not given")
    ] = None,
) -> None:
    """Restore a backup with the log after it. TOUCHLINE_HOME=<folder> touchline up runs what was restored."""
    from touchline.backup.restore import restore as restore_backup

    report = restore_backup(state(ctx).settings, to.absolute(), read_moment(at, "--at"), of)
    emit(ctx, report)
    if not state(ctx).as_json:
        typer.echo(f"To run it: TOUCHLINE_HOME={report.home} touchline up")
