"""`touchline export`: analytics views as Parquet and CSV files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.status import Status
from rich.text import Text

from touchline.cli.output import emit, errors, folder_to_write, ready

if TYPE_CHECKING:
    from touchline.warehouse.export import Exported


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def export(
        ctx: typer.Context,
        to: Annotated[Path, typer.Option(help="a file ending in .parquet or .csv, or a folder")],
        view: Annotated[str | None, typer.Argument(help="an analytics view, for example matches")] = None,
        everything: Annotated[bool, typer.Option("--all", help="every view, into the folder")] = False,
        form: Annotated[str, typer.Option("--format", help="in a folder: parquet or csv")] = "parquet",
    ) -> None:
        """Write analytics views to files, as the analysts' role; a file appears when it is complete."""
        from touchline.warehouse.export import FORMATS, export_view, list_views

        if (view is None) is not everything:
            raise typer.BadParameter("name one view, or ask for --all")
        if f".{form}" not in FORMATS:
            raise typer.BadParameter(f"{form!r}: choose parquet or csv", param_hint="--format")
        is_folder = to.is_dir() or not to.suffix
        if everything and not is_folder:
            raise typer.BadParameter("--all writes one file a view: name a folder", param_hint="--to")
        folder_to_write(to if is_folder else to.parent)
        settings = ready(ctx)
        done: list[Exported] = []
        with Status("exporting", console=errors) as status:
            for name in list_views(settings) if view is None else [view]:
                status.update(f"exporting {name}")
                done.append(export_view(settings, name, to / f"{name}.{form}" if is_folder else to))
        emit(ctx, [asdict(each) for each in done], _lines(done))


def _lines(done: list[Exported]) -> Text:
    """Three lines a file; a path or a digest that is folded into a column cannot be copied."""
    lines = [
        f"{each.view}: {each.n_rows:,} rows, {each.n_bytes:,} bytes, as of {each.as_of:%Y-%m-%d %H:%M} UTC\n"
        f"  {each.path}\n  SHA-256 {each.sha256}"
        for each in done
    ]
    return Text("\n".join(lines), no_wrap=True, overflow="ignore")
