"""`touchline airflow`: the way into Airflow's pages, and an Airflow whose parts run on several machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from touchline.cli.output import console, emit, state

if TYPE_CHECKING:
    from touchline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Log in to Airflow, or run its parts on several machines.", no_args_is_help=True)
    app.add_typer(group, name="airflow")

    @group.command()
    def login(ctx: typer.Context) -> None:
        """Show the address of Airflow's login page, its user and the generated password."""
        found = login_of(state(ctx).settings)
        if state(ctx).as_json:
            emit(ctx, found)
        else:
            console.print(login_line(found), highlight=False, soft_wrap=True)

    @group.command()
    def init(ctx: typer.Context) -> None:
        """Prepare everything that the machines of a cluster share: databases, roles, migrations, pools, passwords.

        To be run once for each release, on one machine, before the services start. It starts none.
        """
        from touchline.operations.deployment import prepare_cluster

        emit(ctx, prepare_cluster(state(ctx).settings))

    @group.command(
        "exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
    )
    def execute(
        ctx: typer.Context,
        command: Annotated[list[str], typer.Argument(help="the program and its arguments")],
    ) -> None:
        """Become a program that has the environment of an Airflow process, as in `exec airflow celery worker`.

        That environment follows from the settings; variables of Airflow's own (AIRFLOW__...) win. It makes no password:
        those of the installation have to be there.
        """
        from touchline.operations.deployment import become

        become(state(ctx).settings, command)


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
