"""What every command shares: its settings and clock, and one way to print."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from datetime import date
from typing import Any

import typer
from rich.console import Console, RenderableType

from touchline.clock import RunClock
from touchline.operations.edge import run_clock
from touchline.settings import Settings

console = Console(width=None if sys.stdout.isatty() else 140)
errors = Console(stderr=True)


@dataclass
class State:
    """Options given before the command's name."""

    settings: Settings
    as_json: bool

    @property
    def clock(self) -> RunClock:
        """The run clock: `as_of` if given, the simulated world's clock, or the present."""
        return run_clock(self.settings)


def state(ctx: typer.Context) -> State:
    """The options given before the command's name."""
    found = ctx.find_object(State)
    assert found is not None, "commands run below the root callback, which sets the state"
    return found


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
