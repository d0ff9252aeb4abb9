"""`touchline season`: how does the season end?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from touchline.cli.output import console, emit, state
from touchline.cli.step import run_step

if TYPE_CHECKING:
    from touchline.settings import Settings

COLUMNS = {
    "title": "p_title", "CL": "p_champions_league", "Europe": "p_europe", "champ. round": "p_championship_play_off",
    "up": "p_promotion", "up play-off": "p_promotion_play_off", "down play-off": "p_relegation_play_off",
    "down": "p_relegation",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def season(
        ctx: typer.Context,
        competition: Annotated[
            str | None, typer.Option(help="code of one competition, such as E0; all if not given")
        ] = None,
    ) -> None:
        """Forecast how each competition's season ends, and show the latest forecasts (predict first)."""
        from touchline.database.engine import connect, rows
        from touchline.database.queries import query
        from touchline.identity.competitions import competitions
        from touchline.operations.steps import STEPS

        if competition is not None and competition not in competitions():
            raise typer.BadParameter(
                f"{competition!r} is no competition; dbt_project/seeds/competition.csv lists all",
                param_hint="--competition",
            )
        outcome = run_step(ctx, STEPS["forecast_season"])
        settings, report = state(ctx).settings, outcome.report
        with connect(settings, "api") as connection:
            found = rows(
                connection,
                query("ledger/sql/season_latest"),
                {"as_of": outcome.as_of, "competition": competition},
            )
        if state(ctx).as_json:
            emit(ctx, {**({} if report is None else dataclasses.asdict(report)), "latest": found})
            return
        for name in dict.fromkeys((row["competition"], row["season"]) for row in found):
            console.print(
                season_table(settings, [row for row in found if (row["competition"], row["season"]) == name])
            )
        console.print(outcome.summary, markup=False)


def season_table(settings: Settings, found: list[dict[str, Any]]) -> Table:
    """The forecast of one season, the most points expected first; columns of outcomes that it has."""
    first = found[0]
    simulated = " (SIMULATED football)" if settings.is_simulated else ""
    title = (
        f"{first['competition']} {first['season']} as of {first['forecast_at']:%d %b %Y %H:%M} UTC{simulated}"
    )
    lacks = f"Not simulated: {first['not_simulated']}." if first["not_simulated"] else None
    table = Table(title=title, caption=lacks)
    table.add_column("team")
    shown = {name: column for name, column in COLUMNS.items() if first[column] is not None}
    for name in ("played", "points", "expected", "90 % within", *shown):
        table.add_column(name, justify="right")
    for row in found:
        table.add_row(
            row["team"], str(row["n_played"]), str(row["points"]), f"{row['expected_points']:.1f}",
            f"{row['points_low']} to {row['points_high']}", *(f"{row[column]:.1%}" for column in shown.values()),
        )  # fmt: skip
    return table
