"""`touchline airflow`: the way into Airflow's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from touchline.cli.output import console, emit, state

if TYPE_CHECKING:
    from touchline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Log in to Airflow.", no_args_is_help=True)
    app.add_typer(group, name="airflow")

    @group.command()
    def login(ctx: typer.Context) -> None:
        """Show the address of Airflow's login page, its user and the generated password."""
        found = login_of(state(ctx).settings)
        if state(ctx).as_json:
            emit(ctx, found)
        else:
            console.print(login_line(found), highlight=False, soft_wrap=True)


def login_of(settings: Settings) -> dict[str, str]:
    """Address, user and password."""
    from touchline.operations.airflow_settings import USER
    from touchline.operations.status import AIRFLOW_API

    port = settings.running_port(AIRFLOW_API, settings.airflow_port)
    return {
        "address": f"http://127.0.0.1:{port}/auth/login",
        "user": USER,
        "password": settings.secrets["airflow_admin"],
    }


def login_line(found: dict[str, str]) -> str:
    """The same in a line."""
    return f"Airflow: {found['address']} as {found['user']}, password {found['password']}"
