"""`touchline features`: every feature with definition, missing rate, and importance to the champion."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from touchline.cli.output import console, emit, errors, file_to_write, ready, state

if TYPE_CHECKING:
    import pandas as pd

    from touchline.forecasting.report.feature_page import FeatureEntry
    from touchline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="features")
    def features_command(
        ctx: typer.Context,
        markdown: Annotated[
            Path | None,
            typer.Option(help="write the catalogue as Markdown to this file", callback=file_to_write),
        ] = None,
    ) -> None:
        """Show all features: group, definition, share of matches without them, importance to the champion."""
        from touchline.features.training import training_frame
        from touchline.forecasting.report.feature_page import describe_features, feature_page

        settings = ready(ctx, "mlflow")
        matches = training_frame(settings, state(ctx).clock.as_of, since=settings.training_since)
        entries = describe_features(matches, _importance(settings, matches))
        if markdown is not None:
            markdown.parent.mkdir(parents=True, exist_ok=True)
            markdown.write_text(feature_page(entries, matches), encoding="utf-8")
        if state(ctx).as_json:
            emit(ctx, [asdict(entry) for entry in entries])
        elif markdown is None:
            console.print(_table(entries))
        else:
            console.print(f"{len(entries)} features: {markdown}", highlight=False)


def _importance(settings: Settings, matches: pd.DataFrame) -> pd.DataFrame | None:
    from touchline.errors import ModelUnavailable
    from touchline.forecasting.report.importance import forecaster_importance
    from touchline.registry.models import load
    from touchline.registry.tracking import open_registry

    try:
        champion = load(open_registry(settings))
    except ModelUnavailable as error:
        errors.print(f"Without importance: {error}", highlight=False)
        return None
    return None if matches.empty else forecaster_importance(champion.forecaster, matches)


def _table(entries: tuple[FeatureEntry, ...]) -> Table:
    from touchline.forecasting.design_sources import DESIGNS
    from touchline.forecasting.report.feature_page import importance_text, missing_text

    table = Table(title="Features; importance in thousandths of log-odds")
    for name in ("feature", "missing", *DESIGNS, "definition"):
        is_text = name in ("feature", "definition")
        table.add_column(name, justify="left" if is_text else "right", no_wrap=name == "feature")
    group = entries[0].group
    for entry in entries:
        if entry.group != group:
            table.add_section()
            group = entry.group
        importances = (importance_text(entry, forecast) for forecast in DESIGNS)
        table.add_row(entry.name, missing_text(entry.missing), *importances, entry.definition)
    return table
