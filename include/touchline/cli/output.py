"""What every command shares: its settings and clock, the services it needs, and one way to print.

At their top, modules of commands import only what describes their commands. A command imports what it works with
when it runs, so that no command waits for another's imports.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, RenderableType

if TYPE_CHECKING:
    from touchline.clock import RunClock
    from touchline.operations.pipeline import Need
    from touchline.settings import Settings

console = Console(width=None if sys.stdout.isatty() else 140)
errors = Console(stderr=True)

# Exit codes of a command that kept what it could, and of one that has done its work while something that should be
# there is missing; docs/getting-started.md has them all.
PARTLY_FAILED = 3
DEGRADED = 4


@dataclass
class State:
    """Options given before the command's name, and what is known to run."""

    as_json: bool
    ready: set[str] = field(default_factory=set)

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

    settings, done = state(ctx).settings, state(ctx).ready
    ensure = {"database": prepare, "source": services.ensure_source, "mlflow": services.ensure_mlflow}
    for name in ("database", *needs):
        if name not in done:
            ensure[name](settings)
            done.add(name)
    return settings


def read_day(text: str, option: str) -> date:
    """A day given as an option; anything that is not a date is wrong usage."""
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
        console.print(report.summary, markup=False)
