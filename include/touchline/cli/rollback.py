"""`touchline rollback`: undo a promotion, or go back to the image before; `touchline rollout`: go to another image."""

from __future__ import annotations

from typing import Annotated

import typer

from touchline.cli.output import emit, ready


def register(app: typer.Typer) -> None:
    """Add the command group and the command."""
    group = typer.Typer(help="Undo a promotion, or go back to the image before.", no_args_is_help=True)
    app.add_typer(group, name="rollback")

    @group.command(name="model")
    def model(ctx: typer.Context) -> None:
        """Give the alias champion back to the version that held it before."""
        from touchline.registry.models import rollback
        from touchline.registry.tracking import open_registry

        emit(ctx, rollback(open_registry(ready(ctx, "mlflow"))))

    @group.command(name="image")
    def image(ctx: typer.Context) -> None:
        """Run the cluster of docker/compose.yaml with the image that was made before; the API answers throughout."""
        from touchline.operations.rollout import Compose, roll_back
        from touchline.settings import PROJECT_ROOT

        emit(ctx, roll_back(Compose(PROJECT_ROOT)))

    @app.command(name="rollout")
    def rollout(
        ctx: typer.Context,
        image: Annotated[
            str, typer.Argument(help="an image that is on this machine, touchline:VERSION-COMMIT")
        ],
    ) -> None:
        """Run the cluster of docker/compose.yaml with another image; the API answers throughout.

        The database is migrated to it first. What runs goes on working on the migrated database.
        """
        from touchline.operations.rollout import Compose, roll_out
        from touchline.settings import PROJECT_ROOT

        emit(ctx, roll_out(Compose(PROJECT_ROOT), image, prepares=True))
