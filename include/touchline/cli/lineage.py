"""`touchline lineage`: what a prediction was made from, what a payload touched, which columns a column is made from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from touchline.cli.lineage_trees import extracted_table, prediction_tree, touched_tree
from touchline.cli.output import console, emit, file_to_write, folder_to_write, ready, state

if TYPE_CHECKING:
    from touchline.openlineage.columns import ColumnOrigin
    from touchline.settings import Settings

COLUMNS = "columns"
PAYLOAD = "payload:"
EXAMPLE = "payload:12"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def lineage(
        ctx: typer.Context,
        subject: Annotated[
            str,
            typer.Argument(
                help=f"id of a prediction or a unique beginning of it; {EXAMPLE}; or the word columns"
            ),
        ],
        column: Annotated[
            str | None, typer.Argument(help="with columns: analytics.<view> or analytics.<view>.<column>")
        ] = None,
        show_bytes: Annotated[bool, typer.Option("--bytes", help="show the rows used, as received")] = False,
        folder: Annotated[
            Path | None,
            typer.Option(
                "--extract",
                help="write the payloads, as received, into this folder",
                callback=folder_to_write,
            ),
        ] = None,
        report: Annotated[
            Path | None,
            typer.Option(
                "--report", help="write a page with a picture into this file", callback=file_to_write
            ),
        ] = None,
    ) -> None:
        """Walk from a prediction back to payload bytes, from a payload forward, or from a column to its sources."""
        settings = ready(ctx)
        if subject == COLUMNS:
            _columns(ctx, settings, column)
        elif subject.startswith(PAYLOAD):
            _payload(ctx, settings, subject.removeprefix(PAYLOAD), folder)
        else:
            _prediction(ctx, settings, subject, show_bytes, folder, report)


def _prediction(
    ctx: typer.Context, settings: Settings, prediction_id: str, show_bytes: bool, folder: Path | None,
    page: Path | None,
) -> None:  # fmt: skip
    from touchline.lineage.payload_bytes import extract, row_texts
    from touchline.lineage.report import write_report
    from touchline.lineage.trace import trace

    found = trace(settings, prediction_id)
    texts = (
        row_texts(settings, [(row["payload_id"], row["row_numbers"]) for row in found.payloads])
        if show_bytes
        else []
    )
    payload_ids = [row["payload_id"] for row in found.payloads]
    extracted = [] if folder is None else extract(settings, payload_ids, folder)
    if page is not None:
        write_report(settings, found, page)
    if state(ctx).as_json:
        rows = [asdict(row) for row in texts]
        emit(ctx, {**asdict(found), "row_texts": rows, "extracted": [asdict(row) for row in extracted]})
        return
    emit(ctx, found, prediction_tree(found, texts), *([extracted_table(extracted)] if extracted else []))
    if page is not None:
        console.print(f"The page is {page.absolute()}")


def _payload(ctx: typer.Context, settings: Settings, number: str, folder: Path | None) -> None:
    from touchline.lineage.payload_bytes import extract
    from touchline.lineage.touched import touched

    if not number.isdecimal():
        raise typer.BadParameter(f"{number!r} is not the number of a payload: write {EXAMPLE}")
    found = touched(settings, int(number))
    extracted = [] if folder is None else extract(settings, [int(number)], folder)
    if state(ctx).as_json:
        emit(ctx, {**asdict(found), "extracted": [asdict(row) for row in extracted]})
        return
    emit(ctx, found, touched_tree(found), *([extracted_table(extracted)] if extracted else []))


def _columns(ctx: typer.Context, settings: Settings, wanted: str | None) -> None:
    from touchline.database.engine import connect
    from touchline.openlineage.columns import origins, read_warehouse
    from touchline.warehouse.build import compile_here

    if wanted is None:
        raise typer.BadParameter("columns of what? Write analytics.upcoming_predictions, or a column of it")
    compile_here(settings)
    with connect(settings, "transform") as connection:
        found = origins(read_warehouse(settings, connection), wanted)
    emit(ctx, [asdict(each) for each in found], *([] if state(ctx).as_json else [_column_table(found)]))


def _column_table(found: list[ColumnOrigin]) -> Table:
    table = Table(title="Columns and what they come from")
    for name in ("column", "made from", "in the end from"):
        table.add_column(name, overflow="fold")
    for each in found:
        values: list[Any] = ["written in the SQL"] if each.is_constant else list(each.made_from)
        table.add_row(each.column, "\n".join(values), "\n".join(each.sources), end_section=True)
    return table
