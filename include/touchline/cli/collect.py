"""`touchline collect`: fetch and land what the source offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from touchline.cli.output import PARTLY_FAILED, emit, errors, read_day, ready, state
from touchline.cli.step import run_step

if TYPE_CHECKING:
    from touchline.landing.collect import CollectReport
    from touchline.sources.source import Kind


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="collect")
    def collect_command(
        ctx: typer.Context,
        kind: Annotated[
            list[str] | None,
            typer.Option(help="what to collect (fixtures, odds, scores); everything if not given"),
        ] = None,
        only: Annotated[
            list[str] | None, typer.Option(help="ask only this source of those in use; can be repeated")
        ] = None,
        from_on: Annotated[
            str | None, typer.Option("--from", help="backfill: first day of matches, 2023-03-01")
        ] = None,
        to_on: Annotated[
            str | None, typer.Option("--to", help="backfill: last day of matches; the present if not given")
        ] = None,
    ) -> None:
        """Fetch and land fixtures, odds and scores; every row is parsed or rejected with its reason.

        With --from (and --to) it collects the matches of these days instead of what is offered now. A backfill that
        was stopped continues when it is started again with the same options.
        """
        from touchline.operations.backfill import backfill
        from touchline.operations.steps import collecting
        from touchline.run_id import new_run_id
        from touchline.sources.source import KINDS

        unknown = set(kind or ()) - set(KINDS)
        if unknown:
            raise typer.BadParameter(f"{', '.join(sorted(unknown))}: choose from {', '.join(KINDS)}")
        wanted: list[Kind] = [name for name in KINDS if not kind or name in kind]
        if to_on is not None and from_on is None:
            raise typer.BadParameter("give --from too", param_hint="--to")
        settings = ready(ctx, "source")
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=errors, transient=True, disable=state(ctx).as_json,
        ) as progress:  # fmt: skip
            bars = {name: progress.add_task(name, total=None) for name in ("fetch", "parse")}
            show = lambda name, done, total: progress.update(bars[name], completed=done, total=total)  # noqa: E731
            if from_on is None:
                step = collecting(wanted, only or (), on_progress=show)
                report = run_step(ctx, step, new_run_id("collect")).report
            else:
                clock = state(ctx).clock
                window = (
                    read_day(from_on, "--from"),
                    read_day(to_on, "--to") if to_on else clock.as_of.date(),
                )
                if window[0] > window[1]:
                    raise typer.BadParameter(f"{window[0]} is after {window[1]}", param_hint="--from")
                report = backfill(settings, clock, wanted, window, only or (), show)
        emit(ctx, report, _table(report))
        if report.problems:
            raise typer.Exit(PARTLY_FAILED)


def _table(report: CollectReport) -> Table:
    table = Table(title=f"Collected from {report.source} as of {report.as_of[:16]}")
    for name in ("season or file", "files", "rows", "parsed", "rejected", "prices set aside", "new quotes"):
        table.add_column(name, justify="left" if name == "season or file" else "right")
    groups: dict[str, list[int]] = {}
    for file in report.files:
        parts = file.endpoint.split("/")
        name = parts[1] if file.endpoint.startswith("mmz4281/") else file.endpoint
        counts = [1, file.rows, file.parsed, file.rejected, file.rejected_prices, file.new_quotes]
        groups[name] = [a + b for a, b in zip(groups.get(name, [0] * len(counts)), counts, strict=True)]
    for name, counts in groups.items():
        table.add_row(name, *(f"{count:,}" for count in counts))
    return table
