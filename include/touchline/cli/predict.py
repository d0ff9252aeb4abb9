"""`touchline predict` and `touchline settle`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from touchline.cli.output import state
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
        """Predict every fixture in the horizon into the ledger, with the champion."""
        from touchline.operations.steps import predicting
        from touchline.run_id import new_run_id

        run_id = new_run_id("predict")
        outcome = run_step(ctx, predicting(match), run_id)
        if not outcome.new_assets:
            emit_report(ctx, outcome)
            return
        _refresh_views(ctx, run_id)
        emit_report(ctx, outcome, upcoming_table(state(ctx).settings))

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
    for row in found:
        p = [row["p_home"], row["p_draw"], row["p_away"]]
        table.add_row(
            f"{row['kickoff_at']:%a %d %b %H:%M}", row["competition"], row["home_team"], row["away_team"],
            *(f"{value:.3f}" for value in p), f"{sum(p):.3f}", " / ".join(f"{1 / value:.2f}" for value in p),
        )  # fmt: skip
    return table


def track_record_table(settings: Settings) -> Table:
    """Scores of settled predictions by forecast."""
    from touchline.database.engine import connect, rows

    with connect(settings, "api") as connection:
        found = rows(
            connection,
            "select forecast, role, sum(n) as n, sum(rps * n) / sum(n) as rps, sum(log_loss * n) / sum(n) as log_loss, "
            "sum(accuracy * n) / sum(n) as accuracy, "
            "sum(closing_log_loss * n_with_closing) / nullif(sum(n_with_closing), 0) as closing_log_loss "
            "from analytics.track_record group by forecast, role order by log_loss",
        )
    title = "Track record" + (" (SIMULATED football)" if settings.is_simulated else "")
    table = Table(title=title)
    table.add_column("forecast")
    table.add_column("role")
    for name in ("n", "RPS", "log loss", "accuracy", "closing market's log loss"):
        table.add_column(name, justify="right")
    for row in found:
        closing = row["closing_log_loss"]
        table.add_row(
            row["forecast"], row["role"], f"{row['n']:,}", f"{row['rps']:.4f}", f"{row['log_loss']:.4f}",
            f"{row['accuracy']:.3f}", "" if closing is None else f"{closing:.4f}",
        )  # fmt: skip
    return table
