"""`touchline drift`: have the champion or its features drifted?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from touchline.cli.output import emit, state
from touchline.cli.step import run_step

if TYPE_CHECKING:
    from touchline.settings import Settings

# A measure of an earlier look stands until the next: features are looked at once a week.
LATEST = """
select distinct on (metric, subject) metric, subject, value, threshold, n_matches, is_drift, as_of, detail
from ops.drift_metric
where as_of <= %(as_of)s and n_matches is not null
order by metric, subject, as_of desc
"""
SHOWN_FEATURES = 5


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def drift(ctx: typer.Context) -> None:
        """Look for drift of the champion and its features (settle first); docs/drift.md says what to do about it."""
        from touchline.database.engine import connect, rows
        from touchline.operations.steps import STEPS

        outcome = run_step(ctx, STEPS["measure_drift"])
        settings, report = state(ctx).settings, outcome.report
        with connect(settings, "model") as connection:
            latest = rows(connection, LATEST, {"as_of": outcome.as_of})
        if state(ctx).as_json:
            emit(ctx, {**dataclasses.asdict(report), "latest": latest})
        else:
            new = {(each.metric, each.subject) for each in report.alarms}
            emit(ctx, report, drift_table(settings, latest, new))


def drift_table(settings: Settings, latest: list[dict[str, Any]], new: set[tuple[str, str]]) -> Table:
    """The newest row of each metric and subject; of the features, those that drift and the most changed others."""
    table = Table(title="Drift" + (" (SIMULATED football)" if settings.is_simulated else ""))
    for name in ("metric", "subject"):
        table.add_column(name)
    for name in ("value", "threshold", "n"):
        table.add_column(name, justify="right")
    for name in ("verdict", "as of (UTC)", "detail"):
        table.add_column(name, overflow="fold")
    verdicts = {(False, False): "no drift", (True, False): "drift, told before", (True, True): "DRIFT"}
    n_features = 0
    for row in sorted(latest, key=lambda row: (row["metric"], -row["value"])):
        if row["metric"] == "feature_drift":
            n_features += 1
            if n_features > SHOWN_FEATURES and not row["is_drift"]:
                continue
        table.add_row(
            row["metric"], row["subject"], f"{row['value']:.3f}", f"{row['threshold']:.3f}", f"{row['n_matches']:,}",
            verdicts[row["is_drift"], (row["metric"], row["subject"]) in new],
            f"{row['as_of']:%d %b %H:%M}", _told(row["detail"]),
        )  # fmt: skip
    return table


def _told(detail: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in detail.items()
    )
