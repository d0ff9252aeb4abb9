"""What every command shares: its settings and clock, the services it needs, and one way to print.

At their top, modules of commands import only what describes their commands. A command imports what it works with
when it runs, so that no command waits for another's imports.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, RenderableType

from touchline.errors import SettingsInvalid

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

MOMENT_SECONDS = 1.0
SPANS = {"m": "minutes", "h": "hours", "d": "days"}
MOST_DAYS = 36_500

LimitOption = Annotated[int, typer.Option(min=1, max=1_000_000, help="at most this many")]
PortOption = Annotated[
    int | None, typer.Option(min=0, max=65535, help="TCP port to listen on; 0 takes any free one")
]


@dataclass
class State:
    """Options given before the command's name, and what is known to run."""

    as_json: bool
    ready: set[str] = field(default_factory=set)

    @cached_property
    def settings(self) -> Settings:
        """The settings. Raises SettingsInvalid."""
        from touchline.settings import read_settings

        return read_settings()

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
    ensure = {
        "database": ("PostgreSQL to start and migrate", prepare),
        "source": ("the simulated world to start", services.ensure_source),
        "mlflow": ("MLflow to start", services.ensure_mlflow),
    }
    for name in ("database", *needs):
        if name not in done:
            what, start = ensure[name]
            with waiting_for(what):
                start(settings)
            done.add(name)
    return settings


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Say what the command waits for, once that takes longer than a moment."""
    word = threading.Timer(MOMENT_SECONDS, errors.print, [f"Waiting for {what} ..."], {"style": "dim"})
    word.daemon = True
    word.start()
    try:
        yield
    finally:
        word.cancel()


def read_moment(text: str | None, option: str) -> datetime | None:
    """A day or time given as an option, in UTC; anything that is neither is wrong usage."""
    from touchline.clock import parse_as_of

    try:
        return None if text is None else parse_as_of(text)
    except SettingsInvalid as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def read_day(text: str, option: str) -> date:
    """A day given as an option; anything that is not a date is wrong usage."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a date: write 2019-08-01", param_hint=option) from error


def read_span(text: str, option: str, most: timedelta = timedelta(days=MOST_DAYS)) -> timedelta:
    """How long, as 30m, 24h or 90d; anything else, and more than `most`, is wrong usage."""
    found = re.fullmatch(r"(\d{1,6})([mhd])", text.strip())
    span = None if found is None else timedelta(**{SPANS[found[2]]: int(found[1])})
    if span is None or span > most:
        raise typer.BadParameter(f"{text!r}: write 30m, 24h or 7d, at most {most.days}d", param_hint=option)
    return span


def file_to_write(path: Path | None) -> Path | None:
    """Callback of an option: a file that could not be written after the work is wrong usage before it."""
    if path is not None and path.is_dir():
        raise typer.BadParameter(f"{path} is a folder: name a file")
    folder_to_write(None if path is None else path.parent)
    return path


def folder_to_write(path: Path | None) -> Path | None:
    """Callback of an option: the same for a folder, which is made where there is none."""
    from touchline.settings import in_the_way

    if path is not None and (obstacle := in_the_way(path)) is not None:
        raise typer.BadParameter(f"{obstacle} is not a folder")
    return path


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
