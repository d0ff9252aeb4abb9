"""`touchline ledger`: proof that nothing in the ledger was changed, for people who do not trust its owner."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from touchline.cli.output import emit, ready, state

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="Prove the ledger: take a digest, export it, verify an export.", no_args_is_help=True
    )
    app.add_typer(group, name="ledger")
    group.command(name="digest")(_digest)
    group.command(name="export")(_export)
    group.command(name="verify")(_verify)


def _digest(ctx: typer.Context) -> None:
    """Note the state of the ledger and print the file of all digests, to be handed out."""
    from touchline.ledger.digests import digests_file, publish_digest

    settings = ready(ctx)
    publish_digest(settings)
    emit(ctx, {"file": str(digests_file(settings))})
    if not state(ctx).as_json:
        typer.echo(digests_file(settings))


def _export(
    ctx: typer.Context,
    to: Annotated[Path, typer.Option(file_okay=False, help="a folder")],
) -> None:
    """Write the ledger, its digests and a program of one page that verifies them into a folder."""
    from touchline.ledger.digests import export_ledger

    emit(ctx, export_ledger(ready(ctx), to))


def _verify(ctx: typer.Context, ledger: File, digests: File) -> None:
    """Compare an exported ledger with digests that were handed out; exit code 1 when they do not agree."""
    from touchline.ledger.verify_ledger import verify_files

    wrong, counts = verify_files(ledger, digests)
    emit(ctx, {"wrong": wrong, **counts})
    if not state(ctx).as_json:
        said = ", ".join(f"{name.replace('_', ' ')}: {n:,}" for name, n in counts.items())
        typer.echo(
            "\n".join([*(wrong or ["The ledger holds what was written, all of it and in its order."]), said])
        )
    if wrong:
        raise typer.Exit(1)
