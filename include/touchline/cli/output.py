"""What every command shares: its settings and clock, what it needs to be running, and one way to print.

Modules of commands import at their top only what describes their commands; what a command works with is imported
when it runs, so that no command waits for what another one needs.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.console import Console, RenderableType

if TYPE_CHECKING:
    from touchline.clock import RunClock
    from touchline.settings import Settings

console = Console(width=None if sys.stdout.isatty() else 140)
errors = Console(stderr=True)

Need = Literal["source", "mlflow"]


@dataclass
class State:
    """Options given before the command's name."""

    as_json: bool

    @cached_property
    def settings(self) -> Settings:
        """The settings; a value that cannot be used ends the command with exit code 2."""
        from pydantic import ValidationError

        from touchline.settings import Settings

        try:
            return Settings()
        except ValidationError as error:
            for problem in error.errors():
                name = "_".join(str(part) for part in problem["loc"]).upper()
                errors.print(
                    f"[bold red]SettingsInvalid[/]: TOUCHLINE_{name}: {problem['msg']}", highlight=False
                )
            raise typer.Exit(2) from error

    @property
    def clock(self) -> RunClock:
        """The run clock: `as_of` if given, the simulated world's clock, or the present."""
        from touchline.operations.edge import run_clock

        return run_clock(self.settings)


def state(ctx: typer.Context) -> State:
    """The options given before the command's name."""
    found = ctx.find_object(State)
    assert found is not None, "commands run below the root callback, which sets the state"
    return found


def ready(ctx: typer.Context, *needs: Need) -> Settings:
    """The settings, once the database is there and migrated, and what else the command needs is running."""
    from touchline.database.bootstrap import prepare
    from touchline.operations import services

    settings = state(ctx).settings
    prepare(settings)
    if "source" in needs:
        services.ensure_source(settings)
    if "mlflow" in needs:
        services.ensure_mlflow(settings)
    return settings


def read_day(text: str, option: str) -> date:
    """A day given as an option; anything that is no date is wrong usage."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a date: write 2019-08-01", param_hint=option) from error


def emit(ctx: typer.Context, report: Any, *tables: RenderableType) -> None:
    """Print a report: JSON alone with `--json`, otherwise its tables and its one-sentence summary."""
    if state(ctx).as_json:
        data = dataclasses.asdict(report) if dataclasses.is_dataclass(report) else report  # type: ignore[arg-type]
        sys.stdout.write(json.dumps(data, default=str, indent=2) + "\n")
        return
    for table in tables:
        console.print(table)
    if hasattr(report, "summary"):
        console.print(report.summary)
