"""`touchline replay`: a past season, day by day, as production would have lived through it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from touchline.cli.output import console, errors, folder_to_write, read_day, state


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="replay")
    def replay_command(
        ctx: typer.Context,
        season: Annotated[int, typer.Option(help="year in which the season begins: 2022 is 2022/23")],
        source: Annotated[
            Path | None,
            typer.Option(help="folder of season files (SSSS/DIV.csv); the source in use if not given"),
        ] = None,
        competitions: Annotated[
            str, typer.Option(help="codes such as E0,D1; all of the season if not given")
        ] = "",
        from_on: Annotated[
            str, typer.Option("--from", help="first day to play; a week before the first match")
        ] = "",
        to_on: Annotated[
            str, typer.Option("--to", help="last day to play; the day after the last match")
        ] = "",
        train_every: Annotated[
            int,
            typer.Option(
                min=1, help="days between trainings (production trains every night); alarms train too"
            ),
        ] = 7,
        history: Annotated[int, typer.Option(min=1, help="seasons before this one to learn from")] = 5,
        inject: Annotated[
            str, typer.Option(help="what goes wrong: cut:0.2,outage:odds:2023-01-10..2023-01-12")
        ] = "",
        report: Annotated[
            Path | None,
            typer.Option(
                help="write replay.html, replay.json and pictures into this folder", callback=folder_to_write
            ),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of text")] = False,
        anew: Annotated[
            bool, typer.Option("--anew", help="begin from the beginning, not where it stopped")
        ] = False,
    ) -> None:
        """Play a past season day by day through the steps that the DAGs run, and report what came of it.

        A virtual clock says what is known. A replay that was stopped goes on where it was. It has a database and
        models of its own, and changes nothing in others.
        """
        from touchline.replay.faults import read_injections
        from touchline.replay.figures import replay_figures
        from touchline.replay.pages import in_short, write_report
        from touchline.replay.play import play
        from touchline.replay.season import ReplayRequest, find_season, replay_settings

        settings = state(ctx).settings
        request = ReplayRequest(
            folder=source or Path(settings.source),
            season=season,
            competitions=tuple(code.strip() for code in competitions.split(",") if code.strip()),
            from_on=read_day(from_on, "--from") if from_on else None,
            to_on=read_day(to_on, "--to") if to_on else None,
            train_every=train_every,
            history_seasons=history,
            injections=read_injections(inject),
        )
        found = find_season(request, settings.horizon_days)
        settings = replay_settings(settings, found)
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("days"),
            TimeElapsedColumn(), TimeRemainingColumn(), console=errors, transient=True,
            disable=state(ctx).as_json or as_json,
        ) as progress:  # fmt: skip
            bar = progress.add_task(f"{found.label}, collecting the past", total=found.n_days)

            def show(moment: datetime, told: Any) -> None:
                days = (moment.date() - found.first_on).days + 1
                progress.update(bar, completed=days, description=f"{moment:%a %d %b %Y}")

            play(settings, found, show, anew=anew)
        figures = replay_figures(settings, found)
        page = None if report is None else write_report(report, figures)
        if state(ctx).as_json or as_json:
            typer.echo(json.dumps(figures, indent=2))
            return
        for line in in_short(figures):
            console.print(line, markup=False, highlight=False)
        if page is not None:
            console.print(f"report: {page}", markup=False, highlight=False)
