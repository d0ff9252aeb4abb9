"""`touchline keys`: keys of the API, and the profiles of their users."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from touchline.cli.output import console, emit, read_span, ready, state

if TYPE_CHECKING:
    from touchline.accounts.keys import KnownKey, NewKey
    from touchline.accounts.profiles import Stored

NEVER = "never"

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="its prefix, such as tl_k7q2mzpa")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="Make, list, rotate and revoke keys of the API, and keep their users' profiles.",
        no_args_is_help=True,
    )
    app.add_typer(group, name="keys")

    @group.command()
    def create(
        ctx: typer.Context,
        owner: Annotated[str, typer.Argument(help="who gets it: a person or a program", callback=_owner)],
        scope: Annotated[
            list[str] | None, typer.Option(help="read (the default) or profile; may be repeated")
        ] = None,
        expires: Annotated[str, typer.Option(help="how long it is valid: 12h, 90d, never")] = "90d",
        limit: Annotated[
            str | None,
            typer.Option(
                help="requests it may make, as 600/minute, or none; that of the settings if not given"
            ),
        ] = None,
    ) -> None:
        """Make a key, and show it once: what is stored of it cannot give it back."""
        from touchline.accounts import keys
        from touchline.database.engine import connect

        scopes, at = _scopes(scope), _now()
        ends = _ends(expires, at, "--expires")
        _check_limit(limit)
        with connect(ready(ctx), "owner") as connection:
            made = keys.create(connection, owner, scopes, at, ends, limit)
        _show(ctx, made)

    @group.command(name="list")
    def list_command(ctx: typer.Context) -> None:
        """List all keys with their state and last use, the newest first."""
        from touchline.accounts import keys
        from touchline.database.engine import connect

        with connect(ready(ctx), "owner") as connection:
            found = keys.known_keys(connection, _now())
        emit(ctx, [asdict(key) for key in found], _table(found))

    @group.command()
    def revoke(ctx: typer.Context, key: KeyArgument) -> None:
        """End a key for good; processes of the API know it within 3 seconds."""
        from touchline.accounts import keys
        from touchline.database.engine import connect

        with connect(ready(ctx), "owner") as connection:
            prefix = keys.revoke(connection, key, _now())
        emit(ctx, {"revoked": prefix})
        if not state(ctx).as_json:
            console.print(f"{prefix} is revoked.")

    @group.command()
    def rotate(
        ctx: typer.Context,
        key: KeyArgument,
        grace: Annotated[str, typer.Option(help="how long the old one still works: 30m, 24h, 7d")] = "24h",
        expires: Annotated[
            str | None, typer.Option(help="a new end of the key, counted from now; unchanged if not given")
        ] = None,
    ) -> None:
        """Give a key a new secret, and show it once; what it was before works a while longer."""
        from touchline.accounts import keys
        from touchline.database.engine import connect

        at = _now()
        ends = None if expires is None else _ends(expires, at, "--expires")
        if expires == NEVER:
            raise typer.BadParameter(
                "a key that expires cannot be made one that does not", param_hint="--expires"
            )
        with connect(ready(ctx), "owner") as connection:
            made = keys.rotate(connection, key, at, read_span(grace, "--grace"), ends)
        _show(ctx, made)

    profiles = typer.Typer(help="Show and write the profile of a key's user.", no_args_is_help=True)
    group.add_typer(profiles, name="profile")

    @profiles.command()
    def show(ctx: typer.Context, key: KeyArgument) -> None:
        """Show a profile."""
        from touchline.accounts.keys import check_known
        from touchline.accounts.writing import read_profile
        from touchline.database.engine import connect

        with connect(ready(ctx), "access") as connection:
            prefix = check_known(connection, key)
            _show_profile(ctx, prefix, read_profile(connection, prefix))

    @profiles.command(name="set")
    def set_command(
        ctx: typer.Context,
        key: KeyArgument,
        competition: Annotated[
            list[str] | None, typer.Option(help="code of a favourite; may be repeated")
        ] = None,
        team: Annotated[list[str] | None, typer.Option(help="name of a favourite; may be repeated")] = None,
        zone: Annotated[str | None, typer.Option(help="time zone, such as Europe/London")] = None,
        odds: Annotated[str | None, typer.Option(help="decimal, fractional or american")] = None,
        language: Annotated[
            str | None, typer.Option(help="of numbers and dates, such as de or en_GB")
        ] = None,
        kickoff_soon: Annotated[
            int | None, typer.Option(help="alert so many minutes before kick-off; 0 for no alert")
        ] = None,
        moved: Annotated[
            float | None, typer.Option(help="alert when a probability moves by more; 0 for no alert")
        ] = None,
        settled: Annotated[
            int | None,
            typer.Option(help="alert for so many hours after a prediction is settled; 0 for no alert"),
        ] = None,
    ) -> None:
        """Change a profile; what is not given stays. An empty --competition or --team leaves none."""
        from touchline.accounts.keys import check_known
        from touchline.accounts.writing import changed_profile, read_profile, write_profile
        from touchline.database.engine import connect

        favourites = {"competitions": competition, "teams": team}
        changes: dict[str, Any] = {
            **{name: [each for each in given if each] for name, given in favourites.items() if given},
            **{
                name: given
                for name, given in (("time_zone", zone), ("odds_format", odds), ("language", language))
                if given is not None
            },
        }
        alerts = {
            name: given or None
            for name, given in (
                ("kickoff_soon_minutes", kickoff_soon), ("prediction_moved", moved), ("settled_hours", settled)
            )
            if given is not None
        }  # fmt: skip
        settings = ready(ctx)
        with connect(settings, "access") as connection, connect(settings, "api") as reader:
            prefix = check_known(connection, key)
            profile = changed_profile(read_profile(connection, prefix).profile, changes, alerts)
            _show_profile(ctx, prefix, write_profile(connection, reader, prefix, profile, _now()))


def _now() -> datetime:
    """Keys live by the wall clock, also where the run clock is another."""
    from touchline.clock import live_clock

    return live_clock().as_of


def _owner(text: str) -> str:
    if not 1 <= len(text.strip()) <= 200 or not text.isprintable():
        raise typer.BadParameter("write 1 to 200 printable characters")
    return text.strip()


def _scopes(given: list[str] | None) -> list[str]:
    from touchline.accounts.keys import SCOPES

    if wrong := [scope for scope in given or () if scope not in SCOPES]:
        raise typer.BadParameter(f"{wrong[0]!r}: choose from {', '.join(SCOPES)}", param_hint="--scope")
    return given or ["read"]


def _check_limit(text: str | None) -> None:
    from touchline.accounts.rates import limits_of

    try:
        limits_of(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: write 600/minute or none", param_hint="--limit") from error


def _ends(text: str, at: datetime, option: str) -> datetime | None:
    if text == NEVER:
        return None
    span = read_span(text, option)
    if not span:
        raise typer.BadParameter("write at least 1m, or never", param_hint=option)
    return at + span


def _show(ctx: typer.Context, made: NewKey) -> None:
    if not state(ctx).as_json:
        # Alone in its line, to be copied.
        typer.echo(made.key)
    emit(ctx, made)


def _show_profile(ctx: typer.Context, prefix: str, stored: Stored) -> None:
    told = stored.profile.model_dump()
    alerts = told.pop("alerts")
    table = Table(title=f"Profile of {prefix}", show_header=False)
    for name, value in (told | alerts).items():
        shown = ", ".join(value) if isinstance(value, list) else value
        table.add_row(name, "-" if shown in (None, "") else escape(str(shown)))
    emit(ctx, {"key": prefix, "profile": stored.profile.model_dump(), "updated_at": stored.updated_at}, table)


def _table(found: list[KnownKey]) -> Table:
    table = Table(title=f"{len(found)} keys")
    for name in ("key", "owner", "scopes", "state", "secrets", "limit", "expires", "last used"):
        table.add_column(name, justify="right" if name == "secrets" else "left")
    for key in found:
        table.add_row(
            key.prefix, escape(key.owner), ", ".join(key.scopes), key.state, str(key.n_secrets), key.rate_limit or "",
            NEVER if key.expires_at is None else f"{key.expires_at:%Y-%m-%d %H:%M}",
            NEVER if key.last_used_at is None else f"{key.last_used_at:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    return table
