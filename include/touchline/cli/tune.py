"""`touchline tune`: search for better parameters within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from touchline.cli.output import errors, state
from touchline.cli.step import emit_report, run_step

if TYPE_CHECKING:
    from touchline.registry.tuning import TuneReport


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="tune")
    def tune_command(
        ctx: typer.Context,
        budget: Annotated[
            float | None,
            typer.Option(
                min=0,
                help="seconds after which no trial begins; the setting of the weekly search if not given",
            ),
        ] = None,
        trials: Annotated[int | None, typer.Option(help="at most this many trials", min=1)] = None,
    ) -> None:
        """Search for better parameters on past seasons; the next training lets them challenge the champion.

        Without options it searches once on each build; a budget or a number of trials asks for another search.
        """
        from touchline.operations.steps import tuning

        seconds = state(ctx).settings.tuning_budget_seconds if budget is None else budget
        with errors.status(f"Tuning: trials for {seconds:.0f} s ..."):
            is_forced = budget is not None or trials is not None
            outcome = run_step(ctx, tuning(budget, trials), is_forced=is_forced)
        tables = [] if outcome.report is None else [values_table(outcome.report)]
        emit_report(ctx, outcome, *tables)


def values_table(report: TuneReport) -> Table:
    """One row a parameter: the best value found."""
    table = Table(title="Best parameters")
    table.add_column("parameter")
    table.add_column("value", justify="right")
    for name, value in report.values.items():
        table.add_row(name, f"{value:.4g}")
    return table
