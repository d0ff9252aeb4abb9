"""`touchline train`: evaluate, fit, register, and decide about the champion."""

from __future__ import annotations

import typer

from touchline.cli.models import model_table
from touchline.cli.output import emit, errors, ready, state


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="train")
    def train_command(ctx: typer.Context) -> None:
        """Train on everything known now and register the model; the same data, code and parameters are reused."""
        from touchline.registry.models import versions
        from touchline.registry.training import train
        from touchline.run_id import new_run_id

        settings = ready(ctx, "source", "mlflow")
        with errors.status("Training: walking forward, fitting, registering ..."):
            report = train(settings, state(ctx).clock.as_of, new_run_id("train"))
        emit(ctx, report, model_table(settings, versions(settings)))
