"""`touchline why`: why a match was not predicted."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from touchline.cli.output import emit, read_day, ready, state


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def why(
        ctx: typer.Context,
        match: Annotated[
            list[str],
            typer.Argument(
                help="id of a match; or home team, away team and day (UTC), as Leeds Arsenal 2022-11-05"
            ),
        ],
    ) -> None:
        """Say why a match was not predicted, where to look and what to do; or when it was, and by which model."""
        from touchline.database.engine import connect
        from touchline.ledger.why import fixture_by_id, fixture_by_names
        from touchline.ledger.why import why as why_of

        if len(match) == 3:
            home, away, day = match
            find = partial(fixture_by_names, home=home, away=away, day=read_day(day, "DAY"))
        elif len(match) == 1:
            find = partial(fixture_by_id, match_id=_read_id(match[0]))
        else:
            raise typer.BadParameter("give one id, or two names and a day", param_hint="MATCH")
        settings, as_of = ready(ctx, "source"), state(ctx).clock.as_of
        with connect(settings, "api") as connection:
            emit(ctx, why_of(connection, find(connection), as_of, settings.horizon_days))


def _read_id(text: str) -> UUID:
    """The id of a match; anything else is wrong usage."""
    try:
        return UUID(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no id of a match: give one, or two names and a day", param_hint="MATCH"
        ) from error
