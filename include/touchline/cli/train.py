"""`touchline train`: evaluate, fit, register, and decide about the champion."""

from __future__ import annotations

import typer

from touchline.cli.models import model_table
from touchline.cli.output import errors, state
from touchline.cli.step import emit_report, run_step


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="train")
    def train_command(ctx: typer.Context) -> None:
        """Train on the last build and register the model; the same build is not trained on twice."""
        from touchline.operations.steps import STEPS
        from touchline.registry.models import versions
        from touchline.registry.tracking import open_registry

        with errors.status("Training: walking forward, fitting, registering ..."):
            outcome = run_step(ctx, STEPS["train"])
        settings = state(ctx).settings
        emit_report(ctx, outcome, model_table(settings, versions(open_registry(settings))))
