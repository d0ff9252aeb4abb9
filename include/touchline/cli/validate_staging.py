"""`touchline validate-staging`: live through 72 hours with faults, and say which promises were kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from touchline.cli.output import console, errors, folder_to_write, state

if TYPE_CHECKING:
    from touchline.staging.course import Moment


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="validate-staging")
    def validate_staging(
        ctx: typer.Context,
        hours: Annotated[float, typer.Option(min=1, max=24 * 31, help="hours to live through")] = 72,
        real_time: Annotated[
            bool,
            typer.Option(
                "--real-time", help="watch, load and disturb the installation that runs, by the wall clock"
            ),
        ] = False,
        report: Annotated[
            Path | None,
            typer.Option(
                help="write the report into this folder: HTML, Markdown, JSON", callback=folder_to_write
            ),
        ] = None,
        plant: Annotated[
            str | None,
            typer.Option(help="plant a fault that has to be found: late-prediction or gate-disabled"),
        ] = None,
    ) -> None:
        """Live through some hours in three phases (steady, load, faults), and say which promises were kept.

        On a simulated clock, with an installation of its own that is gone afterwards: 72 hours take about one. Exit
        code 1 when a promise was broken.
        """
        from touchline.staging.report import in_short, is_kept, report_json, write_report
        from touchline.staging.validate import validate, validate_running

        if real_time and plant is not None:
            raise typer.BadParameter(
                "a fault is planted in an installation that is used up: leave out --real-time"
            )

        def show(moment: Moment) -> None:
            failed = f", failed: {', '.join(moment.failed)}" if moment.failed else ""
            errors.print(
                f"{moment.at:%a %d %b %H:%M} {moment.phase}: {', '.join(moment.due)}; {moment.n_runs} runs in "
                f"{moment.seconds:.0f} s{failed}", style="dim", highlight=False,
            )  # fmt: skip

        settings = state(ctx).settings
        found = (
            validate_running(settings, hours, show) if real_time else validate(settings, hours, show, plant)
        )
        if report is not None:
            page = write_report(report, found.course, found.readers, found.verdicts)
            errors.print(f"report: {page}", markup=False, highlight=False)
        if state(ctx).as_json:
            typer.echo(json.dumps(report_json(found.course, found.readers, found.verdicts), indent=2))
        else:
            for line in in_short(found.verdicts):
                console.print(line, markup=False, highlight=False)
        if not is_kept(found.verdicts):
            raise typer.Exit(1)
