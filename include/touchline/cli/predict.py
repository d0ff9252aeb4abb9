"""`touchline predict` and `touchline settle`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from touchline.cli.output import DEGRADED, errors, state
from touchline.cli.step import emit_report, run_step

if TYPE_CHECKING:
    from touchline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def predict(
        ctx: typer.Context,
        match: Annotated[str | None, typer.Option(help="only this match (its id in core.match)")] = None,
    ) -> None:
        """Predict every fixture in the horizon into the ledger, with the champion.

        Exit code 4 when a fixture of the horizon is left without a prediction, or a competition is held.
        """
        from touchline.monitoring.shortfalls import OF_PREDICTIONS, find_shortfalls, told
        from touchline.operations.steps import predicting
        from touchline.run_id import new_run_id

        run_id = new_run_id("predict")
        outcome = run_step(ctx, predicting(match), run_id)
        settings = state(ctx).settings
        if outcome.report is not None and outcome.report.model_version is not None:
            _refresh_views(ctx, run_id)
            emit_report(ctx, outcome, upcoming_table(settings))
        else:
            emit_report(ctx, outcome)
        if match is None:
            found = find_shortfalls(settings, datetime.fromisoformat(outcome.as_of))
            missing = [each for each in found if each.kind in OF_PREDICTIONS]
            if missing:
                errors.print(f"degraded:\n{told(missing)}", style="yellow", markup=False, highlight=False)
                raise typer.Exit(DEGRADED)

    @app.command()
    def settle(ctx: typer.Context) -> None:
        """Score predictions whose result is known (collect and build first)."""
        from touchline.operations.steps import STEPS
        from touchline.run_id import new_run_id

        run_id = new_run_id("settle")
        outcome = run_step(ctx, STEPS["settle"], run_id)
        _refresh_views(ctx, run_id)
        emit_report(ctx, outcome, track_record_table(state(ctx).settings))


def _refresh_views(ctx: typer.Context, run_id: str) -> None:
    """Renew the views: with the wall clock they still show what was known before this command."""
    from touchline.operations.steps import STEPS

    run_step(ctx, STEPS["refresh_analytics"], run_id)


def upcoming_table(settings: Settings, limit: int = 20) -> Table:
    """The next predictions of the champion, soonest first."""
    from touchline.database.engine import connect, rows

    with connect(settings, "api") as connection:
        found = rows(
            connection,
            "select * from analytics.upcoming_predictions order by kickoff_at, competition, home_team limit %s",
            (limit,),
        )
    title = "Upcoming predictions" + (" (SIMULATED football)" if settings.is_simulated else "")
    table = Table(title=title)
    for name in ("kick-off (UTC)", "competition", "home", "away"):
        table.add_column(name, no_wrap=True)
    for name in ("p home", "p draw", "p away", "sum", "fair prices"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("rests on", no_wrap=True)
    for row in found:
        p = [row["p_home"], row["p_draw"], row["p_away"]]
        table.add_row(
            f"{row['kickoff_at']:%a %d %b %H:%M}", row["competition"], row["home_team"], row["away_team"],
            *(f"{value:.3f}" for value in p), f"{sum(p):.3f}", " / ".join(f"{1 / value:.2f}" for value in p),
            f"prices of {row['prices_as_of']:%d %b %H:%M}" if row["is_stale"] else row["rests_on"],
        )  # fmt: skip
    return table


def track_record_table(settings: Settings) -> Table:
    """Scores of settled predictions by forecast, ranked by the difference to the champion on the same matches."""
    from touchline.database.engine import connect, rows
    from touchline.database.queries import query

    with connect(settings, "api") as connection:
        found = rows(connection, query("serving/sql/track_record"))
    title = "Track record" + (" (SIMULATED football)" if settings.is_simulated else "")
    table = Table(title=title)
    table.add_column("forecast")
    table.add_column("role")
    for name in (
        "n",
        "RPS",
        "log loss",
        "accuracy",
        "minus champion's",
        "of",
        "minus closing market's",
        "of",
    ):
        table.add_column(name, justify="right")
    for row in found:
        table.add_row(
            row["forecast"], row["role"], f"{row['n']:,}", f"{row['rps']:.4f}", f"{row['log_loss']:.4f}",
            f"{row['accuracy']:.3f}",
            *_difference(row["log_loss_behind_champion"], row["n_with_champion"]),
            *_difference(row["log_loss_behind_closing"], row["n_with_closing"]),
        )  # fmt: skip
    table.caption = "Differences in log loss, on the matches that both have; below zero is better."
    return table


def _difference(difference: float | None, n: int) -> tuple[str, str]:
    return ("", "") if difference is None else (f"{difference:+.4f}", f"{n:,}")
