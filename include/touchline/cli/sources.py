"""`touchline sources`: health and freshness of each source, and what was rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.table import Table

from touchline.cli.output import emit, ready, state

if TYPE_CHECKING:
    from touchline.operations.sources import SourceHealth, SourcesReport

COLOURS = {"healthy": "green", "not asked for": "dim", "switched off": "dim", "no key": "dim"}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="sources")
    def sources_command(ctx: typer.Context) -> None:
        """List the sources with health, last success, freshness, remaining quota and rows rejected today."""
        from touchline.operations.sources import examine_sources

        settings = ready(ctx)
        report = examine_sources(settings, state(ctx).clock.as_of)
        emit(ctx, report, _table(report, is_simulated=settings.is_simulated))


def _table(report: SourcesReport, *, is_simulated: bool) -> Table:
    world = " (SIMULATED football)" if is_simulated else ""
    table = Table(title=f"Sources as of {report.as_of[:16]}{world}")
    for name in ("source", "health", "last heard"):
        table.add_column(name, no_wrap=True)
    for name in ("calls today", "credits left", "rejected today", "rows waiting"):
        table.add_column(name, justify="right", max_width=8)
    table.add_column("what to do", overflow="fold")
    for source in report.sources:
        colour = COLOURS.get(source.health, "yellow")
        heard = "" if source.last_heard_at is None else f"{source.last_heard_at:%a %d %b %H:%M}"
        advice = source.advice
        if source.health == "resting" and source.last_error:
            advice = f"{advice}: {source.last_error}"
        table.add_row(
            source.name, f"[{colour}]{source.health}[/]", heard, f"{source.n_calls_today:,}",
            _credits(source), f"{source.n_rejected_today:,}", f"{source.n_waiting:,}", advice,
        )  # fmt: skip
    return table


def _credits(source: SourceHealth) -> str:
    if source.remaining_credits is not None:
        return f"{source.remaining_credits:,}"
    if source.credits_per_day is not None:
        return f"{source.credits_per_day - source.n_credits_today:,} today"
    return ""
