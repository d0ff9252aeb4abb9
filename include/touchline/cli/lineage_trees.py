"""Trees that `touchline lineage` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.columns import Columns
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

if TYPE_CHECKING:
    from touchline.lineage.payload_bytes import ExtractedPayload, RowText
    from touchline.lineage.touched import TouchedReport
    from touchline.lineage.trace import LineageReport

MINUTE = "%Y-%m-%d %H:%M"
SIMULATED = " [bold yellow]SIMULATED[/]"
# More would hide the rest; `--json` has them all.
LINES = 25


def prediction_tree(report: LineageReport, texts: Sequence[RowText] = ()) -> Tree:
    """A prediction and everything behind it; `texts` are the rows used as received, if they are to be shown."""
    made = report.prediction
    simulated = SIMULATED if made["is_simulated"] else ""
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
    _add_quotes(tree, report.quotes)
    if report.fixture is not None:
        tree.add(
            f"fixture as listed: kick-off {report.fixture['kickoff_at']:{MINUTE}} UTC, {_origin(report.fixture)}"
        )
    _add_payloads(tree, report.payloads, texts)
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


def _add_payloads(tree: Tree, payloads: Sequence[dict[str, Any]], texts: Sequence[RowText]) -> None:
    branch = tree.add(f"{len(payloads)} payloads, as received")
    for row in payloads:
        payload = branch.add(
            f"{row['payload_id']}: {row['source']} {escape(row['endpoint'])}, {row['n_bytes']:,} bytes, observed "
            f"{row['observed_at']:{MINUTE}}, SHA-256 {row['content_hash'][:16]}, rows used: {len(row['row_numbers'])}"
        )
        own = [text for text in texts if text.payload_id == row["payload_id"]]
        if own and own[0].header:
            payload.add(f"[dim]{escape(own[0].header)}[/]")
        for text in own:
            payload.add(f"[dim]row {text.row_number}:[/] {escape(text.text)}")


def touched_tree(report: TouchedReport) -> Tree:
    """A payload and everything it touched."""
    payload = report.payload
    simulated = SIMULATED if payload["is_simulated"] else ""
    tree = Tree(
        f"[bold]payload {payload['payload_id']}[/]: {payload['source']} {escape(payload['endpoint'])}, "
        f"{payload['n_bytes']:,} bytes, SHA-256 {payload['content_hash'][:16]}{simulated}"
    )
    tree.add(
        f"observed {payload['observed_at']:{MINUTE}} UTC by run {escape(payload['run_id'])}, seen again "
        f"{payload['n_seen_again']} times"
    )
    if payload["n_rows"] is None:
        tree.add("not parsed yet")
    else:
        tree.add(
            f"{payload['n_rows']} rows = {payload['n_parsed']} parsed + {payload['n_rejected']} rejected"
        )
    matches = [_match_line(row) for row in report.matches]
    _add_lines(tree, f"{report.n_matches} matches it said something new of", matches)
    rejected = [_rejected_line(row) for row in report.rejected]
    _add_lines(tree, f"{report.n_rejected} values it could not be used for", rejected)
    set_aside = [_set_aside_line(row) for row in report.set_aside]
    _add_lines(tree, f"{report.n_set_aside} facts set aside: nothing rests on them", set_aside)
    predictions = [_prediction_line(row) for row in report.predictions]
    alone = f"(and {report.n_through_ratings} through ratings alone)"
    _add_lines(tree, f"{report.n_predictions} predictions that could rest on it {alone}", predictions)
    models = [
        f"{escape(row['model_version'])} as of {row['as_of']:{MINUTE}}, on {row['n_matches']} of its matches"
        for row in report.models
    ]
    _add_lines(tree, f"{len(report.models)} model versions trained on it", models)
    return tree


def extracted_table(extracted: Sequence[ExtractedPayload]) -> Table:
    """Files that payloads were written to."""
    table = Table(title="Payloads written, byte for byte")
    for name in ("payload", "bytes", "SHA-256 as noted", "file"):
        table.add_column(name, overflow="fold")
    for each in extracted:
        intact = "yes" if each.is_intact else "[bold red]no[/]"
        table.add_row(str(each.payload_id), f"{each.n_bytes:,}", intact, str(each.path))
    return table


def _add_lines(tree: Tree, title: str, lines: Sequence[str]) -> None:
    branch = tree.add(title)
    for line in lines[:LINES]:
        branch.add(line)
    if len(lines) > LINES:
        branch.add(f"[dim]... {len(lines) - LINES} more; --json has up to 500[/]")


def _match_line(row: dict[str, Any]) -> str:
    said = ["fixture"] * row["is_fixture"] + ["result"] * row["is_score"]
    said += [f"{row['n_quotes']} quotes"] * bool(row["n_quotes"])
    return f"{_match_name(row)}: {', '.join(said)} [dim]row {row['row_number']}[/]"


def _match_name(row: dict[str, Any]) -> str:
    if "home_team" not in row:
        return str(row["match_id"])
    teams = f"{escape(row['home_team'])} v {escape(row['away_team'])}"
    return f"{row['kickoff_at']:%Y-%m-%d} {row['competition']} {teams}"


def _set_aside_line(row: dict[str, Any]) -> str:
    fact = "result" if row["kind"] == "score" else row["kind"]
    if row["kind"] == "quote":
        line = "" if row["market"] == "1x2" else f" {row['line']:g}"
        fact = f"{'closing ' * row['is_closing']}quote of {escape(row['bookmaker'])}, {row['market']}{line}"
    why = "; ".join(f"{rule}, {reason}" for rule, reason in zip(row["rules"], row["reasons"], strict=True))
    return f"{_match_name(row)}: {fact} set aside {row['set_aside_at']:{MINUTE}}: {escape(why)}"


def _rejected_line(row: dict[str, Any]) -> str:
    settled = "" if row["settled_at"] is None else f" [green]used since {row['settled_at']:{MINUTE}}[/]"
    field = f" {row['field']}" if row["field"] else ""
    return f"row {row['row_number']}{field}: {row['rule']}, {escape(row['reason'])}{settled}"


def _prediction_line(row: dict[str, Any]) -> str:
    through = row["through"]
    more = f" and {len(through) - 2} more" if len(through) > 2 else ""
    return (
        f"{row['prediction_id']} {row['kickoff_at']:%Y-%m-%d} {escape(row['home_team'])} v "
        f"{escape(row['away_team'])}, {row['forecast']} of version {row['model_version']}: "
        f"{escape('; '.join(through[:2]))}{more}"
    )


def _origin(row: dict[str, Any]) -> str:
    return f"[dim]known {row['known_at']:{MINUTE}}, payload {row['payload_id']} row {row['row_number']}[/]"
