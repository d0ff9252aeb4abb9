"""`touchline models`: the registered versions, and how good they were on held-out matches."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from touchline.cli.output import console, emit, errors, ready, state
from touchline.cli.skill import skill_table

if TYPE_CHECKING:
    from touchline.registry.models import ModelVersion
    from touchline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="List registered models, read their cards, promote one.", invoke_without_command=True
    )
    app.add_typer(group, name="models")

    @group.callback()
    def models_command(ctx: typer.Context) -> None:
        """List versions, aliases and scores on held-out matches."""
        if ctx.invoked_subcommand is not None:
            return
        from touchline.registry.models import versions
        from touchline.registry.tracking import open_registry

        settings = ready(ctx, "mlflow")
        found = versions(open_registry(settings))
        if state(ctx).as_json:
            emit(ctx, [dataclasses.asdict(each) for each in found])
            return
        if not found:
            errors.print(f"No version of {settings.model_name} is registered; `touchline train` makes one.")
            return
        for table in (model_table(settings, found), skill_table(settings)):
            console.print(table)

    @group.command(name="promote")
    def promote_command(
        ctx: typer.Context, version: Annotated[str, typer.Argument(help="the version to make champion")]
    ) -> None:
        """Make a version the champion by hand, whatever the gate decided; this also approves a version that waits."""
        from touchline.operations.approvals import settle_question
        from touchline.registry.models import promote
        from touchline.registry.tracking import open_registry

        settings = ready(ctx, "mlflow")
        emit(ctx, promote(open_registry(settings), version))
        settle_question(settings, version)

    @group.command(name="card")
    def card_command(
        ctx: typer.Context, version: Annotated[str, typer.Argument(help="the version to read about")]
    ) -> None:
        """Show the model card of a version, as Markdown."""
        from touchline.registry.model_card import read_card
        from touchline.registry.tracking import open_registry

        card = read_card(open_registry(ready(ctx, "mlflow")), version)
        if state(ctx).as_json:
            emit(ctx, {"version": version, "card": card})
        else:
            typer.echo(card, nl=False)


def model_table(settings: Settings, found: list[ModelVersion]) -> Table:
    """One row a version, newest first; scores of its primary forecast on its held-out seasons."""
    from touchline.registry.gate import VERDICT

    world = " (SIMULATED football)" if settings.is_simulated else ""
    table = Table(title=f"Registered versions of {settings.model_name}{world}")
    for name in ("version", "alias", "forecast", "as of", "matches", "held out", "log loss", "market", "RPS"):
        table.add_column(name, justify="left" if name in ("alias", "forecast", "as of") else "right")
    table.add_column("verdict", overflow="fold")
    for each in found:
        primary = each.tags.get("primary", "")
        table.add_row(
            each.version, _standing(each), primary, each.tags.get("as_of", "")[:10],
            f"{int(each.tags.get('n_matches', 0)):,}",
            f"{each.metrics.get('held_out_matches', 0):,.0f}", _number(each, f"{primary}.log_loss"),
            _number(each, "market_prematch.log_loss"), _number(each, f"{primary}.rps"), each.tags.get(VERDICT, ""),
        )  # fmt: skip
    return table


def _standing(version: ModelVersion) -> str:
    """Its aliases, and whether it waits for approval, was refused or was rolled back."""
    from touchline.registry.gate import AWAITING_APPROVAL
    from touchline.registry.models import CANDIDATE, ROLLED_BACK, STATE

    gate_said = version.tags.get(STATE, "")
    told = [*version.aliases]
    if ROLLED_BACK in version.tags:
        told.append("rolled back")
    elif (gate_said == AWAITING_APPROVAL and CANDIDATE in version.aliases) or gate_said == "refused":
        told.append(gate_said)
    return ", ".join(told)


def _number(version: ModelVersion, metric: str) -> str:
    value = version.metrics.get(metric)
    return "" if value is None else f"{value:.5f}"
