"""`touchline lineage`: where a prediction came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.columns import Columns
from rich.markup import escape
from rich.tree import Tree

from touchline.cli.output import emit, state
from touchline.database.bootstrap import prepare
from touchline.lineage.trace import LineageReport, trace

MINUTE = "%Y-%m-%d %H:%M"


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
    simulated = " [bold yellow]SIMULATED[/]" if made["is_simulated"] else ""
    tree = Tree(
        f"[bold]{escape(made['home_team'])} v {escape(made['away_team'])}[/], {made['competition']}, kick-off "
        f"{made['kickoff_at']:{MINUTE}} UTC{simulated}"
    )
    tree.add(
        f"prediction {made['prediction_id']} ({made['role']}): home {made['p_home']:.3f}, draw "
        f"{made['p_draw']:.3f}, away {made['p_away']:.3f}, made {made['predicted_at']:{MINUTE}} UTC by run "
        f"{escape(made['run_id'])}"
    )
    tree.add(f"model {made['model_name']} version {made['model_version']}, forecast {made['forecast']}")
    if report.outcome is not None:
        outcome = report.outcome
        tree.add(
            f"came out {outcome['home_goals']}-{outcome['away_goals']} ({outcome['outcome']}): log loss "
            f"{outcome['log_loss']:.3f}, RPS {outcome['rps']:.3f}, settled {outcome['settled_at']:{MINUTE}} UTC"
        )
    _add_features(tree, report)
    _add_matches(tree, "results of the home side", report.home_matches)
    _add_matches(tree, "results of the away side", report.away_matches)
    _add_matches(tree, "meetings of the two", report.meetings)
    _add_quotes(tree, report.quotes)
    if report.fixture is not None:
        tree.add(
            f"fixture as listed: kick-off {report.fixture['kickoff_at']:{MINUTE}} UTC, {_origin(report.fixture)}"
        )
    _add_payloads(tree, report.payloads)
    return tree


def _add_features(tree: Tree, report: LineageReport) -> None:
    made = report.prediction
    branch = tree.add(
        f"{len(report.features)} features as of {made['features_as_of']:{MINUTE}} UTC "
        f"({made['feature_store']} store, SHA-256 {made['feature_hash'][:12]})"
    )
    texts = [
        f"{name} {'[dim]unknown[/]' if value is None else f'[cyan]{value:.4g}[/]'}"
        for name, value in report.features.items()
    ]
    if texts:
        branch.add(Columns(texts, padding=(0, 3), column_first=True))


def _add_matches(tree: Tree, title: str, matches: Sequence[dict[str, Any]]) -> None:
    branch = tree.add(f"{len(matches)} {title}")
    for row in matches:
        branch.add(
            f"{row['kickoff_at']:%Y-%m-%d} {row['competition']} {escape(row['home_team'])} {row['home_goals']}-"
            f"{row['away_goals']} {escape(row['away_team'])}, {_origin(row)}"
        )


def _add_quotes(tree: Tree, quotes: Sequence[dict[str, Any]]) -> None:
    branch = tree.add(f"{len(quotes)} pre-match quotes")
    for row in quotes:
        prices = [row[name] for name in row if name.startswith("price_") and row[name] is not None]
        line = f" {row['line']:g}" if row["market"] != "1x2" else ""
        branch.add(
            f"{escape(row['bookmaker'])} {row['market']}{line}: {' / '.join(f'{price:.2f}' for price in prices)}, "
            f"quoted {row['quoted_at']:{MINUTE}}, {_origin(row)}"
        )


def _add_payloads(tree: Tree, payloads: Sequence[dict[str, Any]]) -> None:
    branch = tree.add(f"{len(payloads)} payloads, as received")
    for row in payloads:
        branch.add(
            f"{row['payload_id']}: {row['source']} {escape(row['endpoint'])}, {row['n_bytes']:,} bytes, observed "
            f"{row['observed_at']:{MINUTE}}, SHA-256 {row['content_hash'][:16]}, rows used: {len(row['row_numbers'])}"
        )


def _origin(row: dict[str, Any]) -> str:
    return f"[dim]known {row['known_at']:{MINUTE}}, payload {row['payload_id']} row {row['row_number']}[/]"
