"""`touchline quality`: run a gate by hand, show what rules and gates have found, release a competition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer
from rich.table import Table

from touchline.cli.output import LimitOption, console, emit, errors, ready, state
from touchline.cli.step import run_step
from touchline.errors import SettingsInvalid

if TYPE_CHECKING:
    from touchline.quality.holds import Hold

Gate = Literal["landing", "core", "features"]
GATES: tuple[Gate, ...] = get_args(Gate)


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="Run quality gates, show rules and held competitions, release one.", no_args_is_help=True
    )
    app.add_typer(group, name="quality")
    group.command(name="check")(_check)
    group.command(name="rules")(_rules)
    group.command(name="docs")(_docs)
    group.command(name="history")(_history)
    group.command(name="quarantined")(_quarantined)
    group.command(name="holds")(_holds)
    group.command(name="release")(_release)


def _check(
    ctx: typer.Context,
    gate: Annotated[str, typer.Argument(help=f"one of {', '.join(GATES)}")],
    everything: Annotated[
        bool, typer.Option("--all", help="core and features: all matches, not only what changed")
    ] = False,
) -> None:
    """Run a gate; exit code 1, with the failing expectations and sample rows, when it stops the run."""
    from touchline.operations.steps import checking

    if gate not in GATES:
        raise typer.BadParameter(f"{gate!r}: choose from {', '.join(GATES)}")
    report = run_step(ctx, checking(gate, everything=everything), is_forced=True).report
    table = _table(f"Gate {gate}", "suite", "expectation", "column", "severity", "result")
    for finding in report.findings:
        result = "ok" if finding.success else finding.observed
        table.add_row(finding.suite, finding.expectation, finding.column or "", finding.severity, result)
    emit(ctx, report, table)
    if not state(ctx).as_json:
        typer.echo("The results of every suite as pages: touchline quality docs")


def _docs(ctx: typer.Context) -> None:
    """Write the newest results of every suite as pages (Data Docs)."""
    from touchline.quality.data_docs import write_pages

    settings = ready(ctx)
    if not settings.data_docs:
        raise SettingsInvalid(
            "no results are kept for Data Docs: set TOUCHLINE_DATA_DOCS=true and run a gate"
        )
    emit(ctx, write_pages(settings))


def _rules(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Option(help="count this run instead of the last one")] = None,
    markdown: Annotated[bool, typer.Option(help="the table of docs/quality.md, without counts")] = False,
) -> None:
    """Show every rule: its sentence, its severity, its breaches in the last run and overall."""
    from touchline.quality import history, rules

    if markdown:
        typer.echo(rules.markdown_table(), nl=False)
        return
    found = history.count_rules(ready(ctx), run)
    table = _table("Rules", "rule", "of a", "severity", "in run", "ever", "what it says")
    for each in found:
        table.add_row(
            each.rule, each.applies_to, each.severity, f"{each.n_in_run:,}", f"{each.n_ever:,}", each.sentence
        )
    _emit(ctx, found, table, "No rule.")


def _history(
    ctx: typer.Context,
    gate: Annotated[str | None, typer.Option(help="only this gate")] = None,
    limit: LimitOption = 20,
) -> None:
    """Show the last runs of the gates, and what failed."""
    from touchline.quality.history import gate_history

    found = gate_history(ready(ctx), gate, limit)
    table = _table(
        "Gates, newest first", "as of (UTC)", "gate", "run", "blocked", "left out", "warned", "failed"
    )
    for each in found:
        table.add_row(
            f"{each.as_of:%Y-%m-%d %H:%M}", each.gate, each.run_id, str(each.n_blocking),
            str(each.n_quarantining), str(each.n_warning), ", ".join(each.failed),
        )  # fmt: skip
    _emit(ctx, found, table, "No gate has run yet.")


def _quarantined(
    ctx: typer.Context,
    rule: Annotated[str | None, typer.Option(help="only this rule, for example teams_swapped")] = None,
    competition: Annotated[str | None, typer.Option(help="only this competition, for example E0")] = None,
    limit: LimitOption = 20,
) -> None:
    """Show the facts that the landing gate leaves out of everything built, and why."""
    from touchline.quality import history, rules

    if rule is not None and rule not in rules.catalogue():
        raise typer.BadParameter(f"{rule!r} is no rule; see `touchline quality rules`", param_hint="--rule")
    found = history.quarantined_facts(ready(ctx), rule, competition, limit)
    table = _table("Left out, newest first", "when (UTC)", "competition", "kind", "rule", "payload", "why")
    for each in found:
        table.add_row(
            f"{each.observed_at:%Y-%m-%d %H:%M}", each.competition, each.kind, each.rule,
            f"{each.payload_id} {each.endpoint}", each.reason,
        )  # fmt: skip
    _emit(ctx, found, table, "No fact is left out.")


def _holds(ctx: typer.Context) -> None:
    """Show the competitions for which nothing new is predicted, since when and why."""
    from touchline.database.engine import connect
    from touchline.quality import holds

    with connect(ready(ctx), "transform") as connection:
        found = holds.active_holds(connection, state(ctx).clock.as_of)
    _emit(ctx, found, _holds_table("On hold", found), "No competition is held.")


def _release(
    ctx: typer.Context,
    competition: Annotated[str, typer.Argument(help="a competition, for example E0")],
    reason: Annotated[str, typer.Option(help="why its rows are right as they are")],
) -> None:
    """Release a competition and accept the rows that held it; other rows hold it again.

    What had been left out because of these rows is used from the next build on: then build, settle and predict.
    """
    from touchline.quality import holds
    from touchline.run_id import new_run_id

    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    settings = ready(ctx)
    as_of = state(ctx).clock.as_of
    found = holds.release(settings, competition, reason, as_of, new_run_id("release"))
    _emit(ctx, found, _holds_table("Released", found), "")


def _holds_table(title: str, found: Sequence[Hold]) -> Table:
    table = _table(title, "competition", "since (UTC)", "gate", "rows", "why")
    for each in found:
        table.add_row(
            each.competition,
            f"{each.held_as_of:%Y-%m-%d %H:%M}",
            each.gate,
            str(len(each.row_keys)),
            each.reason,
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for name in columns:
        is_count = name in ("in run", "ever", "blocked", "left out", "warned", "rows")
        table.add_column(name, overflow="fold", justify="right" if is_count else "left")
    return table


def _emit(ctx: typer.Context, found: Sequence[Any], table: Table, nothing: str) -> None:
    if state(ctx).as_json:
        emit(ctx, [asdict(each) for each in found])
    elif found:
        console.print(table)
    else:
        errors.print(nothing)
