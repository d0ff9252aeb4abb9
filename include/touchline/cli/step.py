"""`touchline step`: run one step of the pipeline as its task does. Every command runs its steps from here."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from touchline.cli.output import console, emit, ready, state

if TYPE_CHECKING:
    from touchline.operations.pipeline import Step, StepOutcome


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="step")
    def step_command(
        ctx: typer.Context,
        name: Annotated[
            str | None, typer.Argument(help="a step, for example update_ratings; --list has them all")
        ] = None,
        show: Annotated[bool, typer.Option("--list", help="show all steps, run none")] = False,
    ) -> None:
        """Run one step and record it, as its task in Airflow does; with unchanged inputs it does nothing."""
        from touchline.operations.steps import STEPS

        if (name is None) is not show:
            raise typer.BadParameter("name one step, or ask for --list")
        if name is None:
            _list(ctx, STEPS.values())
        elif name in STEPS:
            emit_outcomes(ctx, [run_step(ctx, STEPS[name])])
        else:
            raise typer.BadParameter(f"{name!r} is no step; see `touchline step --list`")


def run_step(
    ctx: typer.Context, step: Step, run_id: str | None = None, *, is_full: bool = False,
    is_forced: bool = False,
) -> StepOutcome:  # fmt: skip
    """Run a step, once what it needs is running. Steps of one command share a run id."""
    from touchline.operations import pipeline
    from touchline.run_id import new_run_id

    settings = ready(ctx, *step.needs)
    return pipeline.run_step(
        settings, step, run_id or new_run_id(step.name), is_full=is_full, is_forced=is_forced
    )


def emit_outcomes(ctx: typer.Context, outcomes: list[StepOutcome]) -> None:
    """Print what steps did: a line each, or by step with `--json`."""
    if state(ctx).as_json:
        emit(ctx, {outcome.step: _plain(outcome) for outcome in outcomes})
        return
    for outcome in outcomes:
        console.print(f"[bold]{outcome.step}[/]: ", end="")
        console.print(outcome.summary, markup=False, highlight=False)


def emit_report(ctx: typer.Context, outcome: StepOutcome, *tables: Table) -> None:
    """Print the report of a step with tables of what it changed; without a report, its summary."""
    emit(ctx, outcome if outcome.report is None else outcome.report, *tables)


def _plain(outcome: StepOutcome) -> dict[str, Any]:
    return {**dataclasses.asdict(outcome), "new_assets": outcome.new_assets}


def _list(ctx: typer.Context, steps: Any) -> None:
    rows = [
        {"step": step.name, "does": step.does, "needs": step.needs, "publishes": step.publishes}
        for step in steps
    ]
    table = Table(title="Steps of the pipeline")
    for name in ("step", "what it does", "needs", "publishes"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(row["step"], row["does"], ", ".join(row["needs"]), ", ".join(row["publishes"]))
    emit(ctx, rows, table)
