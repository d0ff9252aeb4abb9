"""`touchline build`: the warehouse, by the steps of the DAG."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.status import Status

from touchline.cli.output import errors
from touchline.cli.step import emit_outcomes, run_step

# What a layer takes beside dbt: its gate, and what is made from it.
STEPS_OF_LAYER = {
    "core": ("check_landing", "build_core"),
    "features": (
        "update_ratings", "build_features", "check_features", "publish_features", "detect_anomalies",
    ),
    "analytics": ("build_analytics",),
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def build(
        ctx: typer.Context,
        layer: Annotated[
            str | None,
            typer.Option(help=f"only the steps of this layer, again ({', '.join(STEPS_OF_LAYER)})"),
        ] = None,
        full: Annotated[bool, typer.Option(help="build everything anew, not only what changed")] = False,
    ) -> None:
        """Run the steps of build_warehouse: gates, dbt, ratings, views, features into the online store, anomalies.

        A step whose inputs have not changed is not run again. The others work in only what changed since the last
        build; the result equals that of a full build. With --layer the steps use the layers below as they are, as of
        the same instant.
        """
        from touchline.operations import names
        from touchline.operations.steps import STEPS
        from touchline.run_id import new_run_id

        if layer is not None and layer not in STEPS_OF_LAYER:
            raise typer.BadParameter(f"{layer!r}: choose from {', '.join(STEPS_OF_LAYER)}")
        wanted = [name for name in names.BUILD if layer is None or name in STEPS_OF_LAYER[layer]]
        run_id, outcomes = new_run_id("build"), []
        with Status("building", console=errors) as status:
            for name in wanted:
                status.update(f"building: {name}")
                outcomes.append(run_step(ctx, STEPS[name], run_id, is_full=full, is_forced=layer is not None))
        emit_outcomes(ctx, outcomes)
