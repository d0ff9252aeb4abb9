"""`touchline build`: the warehouse, without Airflow."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.status import Status

from touchline.cli.output import emit, errors, ready, state

if TYPE_CHECKING:
    from touchline.warehouse.build import Layer


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def build(
        ctx: typer.Context,
        layer: Annotated[
            str | None,
            typer.Option(help="only this layer (core, features, analytics); everything if not given"),
        ] = None,
        full: Annotated[bool, typer.Option(help="build everything anew, not only what changed")] = False,
    ) -> None:
        """Build the layers with dbt, the ratings between core and features, and publish the features.

        Only what changed since the last build is worked in; the outcome is that of a full build.
        """
        from touchline.features.store import publish_features
        from touchline.ratings.update import update_ratings
        from touchline.run_id import new_run_id
        from touchline.warehouse.build import LAYERS, build_layer

        wanted: list[Layer] = [name for name in LAYERS if layer in (None, name)]
        if not wanted:
            raise typer.BadParameter(f"{layer!r}: choose from {', '.join(LAYERS)}")
        settings = ready(ctx, "source")
        as_of, run_id = state(ctx).clock.as_of, new_run_id("build")
        reports: dict[str, object] = {}
        with Status("building", console=errors) as status:
            for name in wanted:
                status.update(f"building {name}")
                if name == "features":
                    reports["ratings"] = update_ratings(settings, as_of, run_id, is_full=full)
                reports[name] = built = build_layer(settings, name, as_of, run_id, is_full=full)
                if name == "features":
                    # They stand as of when core does, which is not now when they are built alone.
                    stands = datetime.fromisoformat(built.as_of)
                    reports["publish"] = publish_features(settings, stands, run_id)
        if state(ctx).as_json:
            emit(ctx, {name: vars(report) for name, report in reports.items()})
        else:
            for report in reports.values():
                emit(ctx, report)
