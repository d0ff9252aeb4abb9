"""`touchline database`: start, stop and open the database by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from touchline.cli.output import emit, ready, state, waiting_for


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Start, stop, migrate and open the database.", no_args_is_help=True)
    app.add_typer(group, name="database")

    @group.command()
    def start(ctx: typer.Context) -> None:
        """Start the embedded PostgreSQL (if no other is configured) and migrate it to the newest revision."""
        from touchline.database.bootstrap import revisions

        settings = ready(ctx)
        current, _ = revisions(settings)
        emit(ctx, {"address": settings.admin_url.rpartition("@")[2], "revision": current})
        if not state(ctx).as_json:
            typer.echo(
                f"PostgreSQL answers on {settings.admin_url.rpartition('@')[2]}, migrated to {current}"
            )

    @group.command()
    def stop(ctx: typer.Context) -> None:
        """Stop the embedded PostgreSQL."""
        from touchline.database import embedded

        settings = state(ctx).settings
        with waiting_for("PostgreSQL to stop"):
            embedded.stop(settings)

    @group.command()
    def url(
        ctx: typer.Context,
        role: Annotated[
            str, typer.Option(help="owner, ingest, transform, model, api, access or analyst")
        ] = "api",
    ) -> None:
        """Print a connection URL for psql and other clients; by default that of the read-only role."""
        from touchline.settings import ROLES

        if role not in ROLES:
            raise typer.BadParameter(f"{role!r}: choose from {', '.join(ROLES)}")
        typer.echo(state(ctx).settings.url(role))
