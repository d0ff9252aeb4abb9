"""`touchline lineage`: where a prediction came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.tree import Tree

from touchline.cli.output import emit, state
from touchline.database.bootstrap import prepare
from touchline.lineage.trace import LineageReport, trace


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def lineage(
        ctx: typer.Context,
        prediction: Annotated[str, typer.Argument(help="id of a prediction, or a unique beginning of it")],
    ) -> None:
        """Walk from a prediction to its model, features, matches, prices and raw payloads."""
        settings = state(ctx).settings
        prepare(settings)
        report = trace(settings, prediction)
        emit(ctx, report, _tree(report))


def _tree(report: LineageReport) -> Tree:
    made = report.prediction
    simulated = " [yellow](SIMULATED)[/]" if made["is_simulated"] else ""
    tree = Tree(
        f"[bold]{made['home_team']} v {made['away_team']}[/], {made['competition']}, kick-off "
        f"{made['kickoff_at']:%Y-%m-%d %H:%M} UTC{simulated}"
    )
    tree.add(
        f"prediction {made['prediction_id']}: home {made['p_home']:.3f}, draw {made['p_draw']:.3f}, "
        f"away {made['p_away']:.3f}, made {made['predicted_at']:%Y-%m-%d %H:%M} UTC"
    )
    tree.add(f"model {made['model_name']} version {made['model_version']}, forecast {made['forecast']}")
    features = tree.add(
        f"{len(report.features)} features as of {made['features_as_of']:%Y-%m-%d %H:%M} UTC "
        f"({made['feature_store']} store, hash {made['feature_hash'][:12]})"
    )
    for name, value in report.features.items():
        features.add(f"{name} = {'unknown' if value is None else f'{value:.4g}'}")
    for side, matches in (("home", report.home_matches), ("away", report.away_matches)):
        _add_matches(tree, f"results of the {side} team", matches)
    quotes = tree.add(f"{len(report.quotes)} pre-match quotes")
    for row in report.quotes:
        prices = [row[name] for name in row if name.startswith("price_") and row[name] is not None]
        quotes.add(
            f"{row['bookmaker']} {row['market']} {' / '.join(f'{price:.2f}' for price in prices)}, quoted "
            f"{row['quoted_at']:%Y-%m-%d %H:%M}, payload {row['payload_id']} row {row['row_number']}"
        )
    payloads = tree.add(f"{len(report.payloads)} payloads")
    for row in report.payloads:
        payloads.add(
            f"{row['payload_id']}: {row['source']} {row['endpoint']}, {row['n_bytes']:,} bytes, observed "
            f"{row['observed_at']:%Y-%m-%d %H:%M}, SHA-256 {row['content_hash'][:16]}"
        )
    return tree


def _add_matches(tree: Tree, title: str, matches: Sequence[dict[str, Any]]) -> None:
    branch = tree.add(f"{len(matches)} {title}")
    for row in matches:
        branch.add(
            f"{row['kickoff_at']:%Y-%m-%d} {row['competition']} {row['home_team']} {row['home_goals']}-"
            f"{row['away_goals']} {row['away_team']}, known {row['known_at']:%Y-%m-%d %H:%M}, payload "
            f"{row['payload_id']} row {row['row_number']}"
        )
