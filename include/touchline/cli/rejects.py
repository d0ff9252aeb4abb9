"""`touchline rejects`: what could not be used and why; replay it once the cause is gone."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from touchline.cli.output import LimitOption, console, emit, errors, read_moment, ready, state

if TYPE_CHECKING:
    from touchline.landing.rejects import RejectCount, RejectedRow, RejectFilter

SourceOption = Annotated[str | None, typer.Option("--from-source", help="only this source")]
RuleOption = Annotated[str | None, typer.Option(help="only this rule, for example team_doubtful")]
ScopeOption = Annotated[str | None, typer.Option(help="only payload, row, field or price")]
SinceOption = Annotated[str | None, typer.Option(help="only first observed since, 2023-03-10 or with a time")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="Count, show and replay rows and prices that could not be used.", no_args_is_help=True
    )
    app.add_typer(group, name="rejects")

    @group.command(name="count")
    def count_command(
        ctx: typer.Context, source: SourceOption = None, rule: RuleOption = None, scope: ScopeOption = None,
        since: SinceOption = None,
    ) -> None:  # fmt: skip
        """Count refusals by source, rule and field."""
        from touchline.landing.rejects import count_rejects

        found = count_rejects(state(ctx).settings, _filter(ctx, source, rule, scope, since))
        _emit(ctx, found, _counts(found))

    @group.command(name="show")
    def show_command(
        ctx: typer.Context, source: SourceOption = None, rule: RuleOption = None, scope: ScopeOption = None,
        since: SinceOption = None, limit: LimitOption = 20,
    ) -> None:  # fmt: skip
        """Show single refusals, the newest first: where, which value, why."""
        from touchline.landing.rejects import list_rejects

        found = list_rejects(state(ctx).settings, _filter(ctx, source, rule, scope, since), limit)
        _emit(ctx, found, _rows(found))

    @group.command(name="replay")
    def replay_command(ctx: typer.Context, source: SourceOption = None, rule: RuleOption = None) -> None:
        """Read rejected rows again from the stored payloads, without asking the source.

        Run it after linking a team, adding a competition or correcting a parser.
        """
        from touchline.landing.replay import replay_rejected
        from touchline.run_id import new_run_id

        settings = ready(ctx, "source")
        emit(ctx, replay_rejected(settings, state(ctx).clock, new_run_id("replay"), source, rule))


def _filter(
    ctx: typer.Context, source: str | None, rule: str | None, scope: str | None, since: str | None
) -> RejectFilter:
    from touchline.landing.rejects import RejectFilter
    from touchline.quality.rules import catalogue

    if rule is not None and rule not in catalogue():
        raise typer.BadParameter(f"{rule!r} is no rule; see `touchline quality rules`", param_hint="--rule")
    if rule is not None and catalogue()[rule].check is not None:
        raise typer.BadParameter(
            f"{rule} is a rule of the landing gate; see `touchline quality quarantined --rule {rule}`",
            param_hint="--rule",
        )
    start = read_moment(since, "--since")
    ready(ctx)
    return RejectFilter(state(ctx).clock.as_of, source, rule, scope, start)


def _emit(ctx: typer.Context, found: list[Any], table: Table) -> None:
    if state(ctx).as_json:
        emit(ctx, [asdict(each) for each in found])
    elif found:
        console.print(table)
    else:
        errors.print("Nothing was rejected that fits.")


def _counts(found: list[RejectCount]) -> Table:
    table = Table(title="Rejected")
    for name in ("source", "scope", "rule", "field", "n", "in quarantine", "last"):
        table.add_column(name, justify="right" if name in ("n", "in quarantine") else "left")
    table.add_column("for example", overflow="fold")
    for each in found:
        waiting = f"{each.n_open:,}" if each.scope == "row" else ""
        table.add_row(
            each.source, each.scope, each.rule, each.field, f"{each.n:,}", waiting, f"{each.last_at:%Y-%m-%d %H:%M}",
            each.example,
        )  # fmt: skip
    return table


def _rows(found: list[RejectedRow]) -> Table:
    table = Table(title="Rejected, newest first")
    for name in ("when (UTC)", "source", "endpoint", "row", "rule", "field", "value"):
        table.add_column(name, overflow="fold")
    table.add_column("reason", overflow="fold")
    for each in found:
        table.add_row(
            f"{each.first_observed_at:%Y-%m-%d %H:%M}", each.source, each.endpoint, str(each.row_number), each.rule,
            each.field or "", each.value or "", each.reason,
        )  # fmt: skip
    return table
