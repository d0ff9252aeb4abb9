"""`touchline backtest`: how good the forecasts would have been, on a folder of real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from touchline.cli.output import console, errors, file_to_write, folder_to_write, read_day, state


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="backtest")
    def backtest_command(
        ctx: typer.Context,
        source: Annotated[
            str | None,
            typer.Option(help="folder of season files (SSSS/DIV.csv); the source in use if not given"),
        ] = None,
        competitions: Annotated[str, typer.Option(help="codes such as E0,E1; all if not given")] = "",
        from_on: Annotated[
            str, typer.Option("--from", help="first day of the test, 2019-08-01")
        ] = "2019-08-01",
        to_on: Annotated[str, typer.Option("--to", help="last day of the test, 2023-06-30")] = "2023-06-30",
        json_file: Annotated[
            Path | None, typer.Option("--json", help="write the figures here", callback=file_to_write)
        ] = None,
        report: Annotated[
            Path | None,
            typer.Option(
                help="write report.html, report.md and pictures into this folder", callback=folder_to_write
            ),
        ] = None,
        refit: Annotated[str, typer.Option(help="when models are fitted again: season or weekly")] = "season",
        overround: Annotated[
            str, typer.Option(help="overround removal: power, shin or proportional")
        ] = "power",
    ) -> None:
        """Run the production steps on a folder, then forecast each season by models fitted before it.

        Prints every forecast on the same matches, and differences with their 95 % interval.
        """
        from touchline.forecasting.backtest import BacktestRequest, backtest_settings, run_backtest
        from touchline.forecasting.report.document import HTML
        from touchline.forecasting.specs import ForecasterParameters
        from touchline.forecasting.walk_forward import REFITS
        from touchline.identity.competitions import competitions as known_competitions
        from touchline.overround import METHODS

        method = next((name for name in METHODS if name == overround), None)
        if method is None:
            raise typer.BadParameter(
                f"{overround!r}: choose from {', '.join(METHODS)}", param_hint="--overround"
            )
        windows = next((name for name in REFITS if name == refit), None)
        if windows is None:
            raise typer.BadParameter(f"{refit!r}: choose from {', '.join(REFITS)}", param_hint="--refit")
        codes = {code.strip() for code in competitions.split(",") if code.strip()}
        if unknown := codes - set(known_competitions()):
            raise typer.BadParameter(
                f"no competition {', '.join(sorted(unknown))}: choose from {', '.join(sorted(known_competitions()))}",
                param_hint="--competitions",
            )
        request = BacktestRequest(
            tuple(sorted(codes)),
            read_day(from_on, "--from"),
            read_day(to_on, "--to"),
            windows,
        )
        base = state(ctx).settings
        if source is not None:
            base = base.model_copy(update={"source": source})
        settings = backtest_settings(base, request)
        parameters = ForecasterParameters(overround=method, seed=settings.random_seed)
        with Progress(
            TextColumn("{task.description:>15}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=errors, transient=True, disable=state(ctx).as_json,
        ) as progress:  # fmt: skip
            bars: dict[str, TaskID] = {}

            def show(step: str, done: int, total: int) -> None:
                if step not in bars:
                    bars[step] = progress.add_task(step, total=None)
                progress.update(bars[step], completed=done, total=total)

            found = run_backtest(settings, request, parameters, show, report)
        text = json.dumps(found, indent=2)
        if json_file is not None:
            json_file.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_text(text + "\n")
        if state(ctx).as_json:
            typer.echo(text)
            return
        for table in (_forecasts(found), _seasons(found), _differences(found)):
            console.print(table)
        if report is not None:
            console.print(f"report: {report / HTML}")


def _forecasts(found: dict[str, Any]) -> Table:
    table = Table(
        title=f"{found['matches']:,} matches that every forecast here covers, {found['from']} to {found['to']}, "
        f"{len(found['competitions'])} competitions"
    )
    for name in ("forecast", "n", "RPS", "log loss", "Brier", "accuracy", "ECE", "slope"):
        table.add_column(name, justify="left" if name == "forecast" else "right")
    for name, scores in found["forecasts"].items():
        slope = "" if scores["slope"] is None else f"{scores['slope']:.3f}"
        table.add_row(
            name, f"{scores['n']:,}", f"{scores['rps']:.5f}", f"{scores['log_loss']:.5f}", f"{scores['brier']:.5f}",
            f"{scores['accuracy']:.4f}", f"{scores['ece']:.4f}", slope,
        )  # fmt: skip
    if found["left_out"]:
        table.caption = "in pairs alone, too few matches: " + ", ".join(
            f"{name} ({found['coverage'][name]:.0%})" for name in found["left_out"]
        )
    return table


def _seasons(found: dict[str, Any]) -> Table:
    from touchline.forecasting.specs import by_season

    # All of them would not fit a screen; they are in the JSON.
    names = [name for name in by_season() if name in found["forecasts"]]
    table = Table(title="Log loss by season")
    table.add_column("season")
    table.add_column("n", justify="right")
    for name in names:
        table.add_column(name, justify="right")
    for season, part in found["seasons"].items():
        losses = [f"{part['forecasts'][name]['log_loss']:.4f}" for name in names]
        table.add_row(season, f"{part['matches']:,}", *losses)
    return table


def _differences(found: dict[str, Any]) -> Table:
    table = Table(
        title="Differences on the n matches of both, with 95 % interval (below zero: the first is better)"
    )
    for name in ("pair", "n", "RPS", "log loss"):
        table.add_column(name, justify="left" if name == "pair" else "right")
    for pair, difference in found["paired"].items():
        intervals = (difference[score] for score in ("rps", "log_loss"))
        cells = [f"{each['difference']:+.5f} [{each['low']:+.5f}, {each['high']:+.5f}]" for each in intervals]
        table.add_row(pair, f"{difference['n']:,}", *(cell.replace("[", "\\[") for cell in cells))
    if found["gap_closed"] is not None:
        table.caption = (
            f"with_odds closes {found['gap_closed']:.0%} of the gap from pre-match to closing market"
        )
    return table
