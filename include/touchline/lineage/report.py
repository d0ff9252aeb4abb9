"""A page for people about one prediction: a picture of where it came from, and tables. One file, nothing loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any, Final

from touchline.database.engine import connect, rows
from touchline.lineage.picture import draw
from touchline.lineage.trace import LineageReport
from touchline.settings import Settings

STYLE: Final = Path(__file__).with_name("report.css")
LEARNED: Final = """
select from_id, detail from ops.lineage_edge
where from_kind = 'training_set' and to_kind = 'model_version' and to_id = %s
"""
# Longer tables are folded up.
MOST_OPEN: Final = 8
Row = Mapping[str, Any]


def write_report(settings: Settings, report: LineageReport, path: Path) -> None:
    """Write the page of a prediction's lineage to a file, making its folder if need be."""
    name = f"{report.prediction['model_name']}/{report.prediction['model_version']}"
    with connect(settings, "model") as connection:
        found = rows(connection, LEARNED, (name,))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(report, found[0]["detail"] if found else None), encoding="utf-8")


def page(report: LineageReport, learned: Mapping[str, Any] | None) -> str:
    """The page as HTML. `learned` is what ops.lineage_edge knows of the version's training, if anything."""
    made = report.prediction
    title = f"{made['home_team']} v {made['away_team']}"
    parts = [
        "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Lineage: {escape(title)}</title><style>{STYLE.read_text()}</style></head><body>",
        _banner(report), _header(report, title), _chances(made),
        f'<section class="picture">{draw(report, learned)}</section>',
        f"<p>{escape(report.summary)} Nothing learned later is on this page but the outcome.</p>",
        _facts(report, learned), _results("Results of the home side", report.home_matches),
        _results("Results of the away side", report.away_matches),
        _quotes(report.quotes), _payloads(report.payloads), _features(report.features),
        "</body></html>",
    ]  # fmt: skip
    return "\n".join(parts)


def _banner(report: LineageReport) -> str:
    if not report.prediction["is_simulated"]:
        return ""
    return '<div class="simulated">SIMULATED football: teams, results and prices are invented</div>'


def _header(report: LineageReport, title: str) -> str:
    made = report.prediction
    badge = ' <span class="badge">SIMULATED</span>' if made["is_simulated"] else ""
    return (
        f"<header><h1>{escape(title)}{badge}</h1><p>{escape(made['competition'])} {escape(made['season'])}, kick-off "
        f"{_time(made['kickoff_at'])} · prediction <code>{made['prediction_id']}</code></p></header>"
    )


def _chances(made: Row) -> str:
    sides = (("home", made["home_team"]), ("draw", "draw"), ("away", made["away_team"]))
    parts = [
        f'<div class="{name}" style="flex-grow:{made[f"p_{name}"]:.4f}"><b>{made[f"p_{name}"]:.1%}</b> '
        f"{escape(label)}</div>"
        for name, label in sides
    ]
    return f'<div class="chances">{"".join(parts)}</div>'


def _facts(report: LineageReport, learned: Mapping[str, Any] | None) -> str:
    made, fixture, came = report.prediction, report.fixture, report.outcome
    facts = {
        "Model": f"{made['model_name']} version {made['model_version']}, forecast {made['forecast']} ({made['role']})",
        "Trained": "not recorded"
        if learned is None
        else f"as of {learned.get('as_of')}, on {learned.get('n_matches')} matches from "
        f"{learned.get('trained_from')} to {learned.get('trained_until')}",
        "Predicted": f"{_time(made['predicted_at'])} by run {made['run_id']} ({made['clock']} clock)",
        "Features": f"{len(report.features)}, as of {_time(made['features_as_of'])}, from the {made['feature_store']} "
        f"store, SHA-256 {made['feature_hash']}",
        "Expected goals": f"{made['expected_home_goals']:.2f} to {made['expected_away_goals']:.2f}",
        "Fixture as listed": "not listed then"
        if fixture is None
        else f"kick-off {_time(fixture['kickoff_at'])}, {fixture['status']}, {_origin(fixture)}",
        "Outcome": "not settled yet"
        if came is None
        else f"{came['home_goals']}-{came['away_goals']}, log loss {came['log_loss']:.4f}, RPS {came['rps']:.4f}, "
        f"settled {_time(came['settled_at'])} (revision {came['revision']})",
    }  # fmt: skip
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f"<dl>{items}</dl>"


def _results(title: str, matches: Sequence[Row]) -> str:
    columns: dict[str, Callable[[Row], str]] = {
        "kick-off": lambda row: _time(row["kickoff_at"]),
        "competition": lambda row: row["competition"],
        "match": lambda row: f"{row['home_team']} v {row['away_team']}",
        "result": lambda row: f"{row['home_goals']}-{row['away_goals']}",
        "known": lambda row: _time(row["known_at"]),
        "read from": _origin,
    }
    return _table(title, columns, matches)


def _quotes(quotes: Sequence[Row]) -> str:
    columns: dict[str, Callable[[Row], str]] = {
        "bookmaker": lambda row: row["bookmaker"],
        "market": lambda row: row["market"] if row["market"] == "1x2" else f"{row['market']} {row['line']:g}",
        "prices": lambda row: " / ".join(
            f"{row[name]:.2f}" for name in row if name.startswith("price_") and row[name] is not None
        ),
        "quoted": lambda row: _time(row["quoted_at"]),
        "known": lambda row: _time(row["known_at"]),
        "read from": _origin,
    }
    return _table("Pre-match quotes", columns, quotes)


def _payloads(payloads: Sequence[Row]) -> str:
    columns: dict[str, Callable[[Row], str]] = {
        "payload": lambda row: str(row["payload_id"]),
        "source": lambda row: row["source"],
        "address": lambda row: row["endpoint"],
        "observed": lambda row: _time(row["observed_at"]),
        "bytes": lambda row: f"{row['n_bytes']:,}",
        "rows used": lambda row: str(len(row["row_numbers"])),
        "SHA-256": lambda row: row["content_hash"],
    }
    return _table("Payloads, as received", columns, payloads)


def _features(features: Mapping[str, float | None]) -> str:
    values = [
        {"name": name, "value": "unknown" if value is None else f"{value:.5g}"}
        for name, value in features.items()
    ]
    items = "".join(
        f'<div class="{"unknown" if each["value"] == "unknown" else "known"}"><span>{escape(each["name"])}</span>'
        f"<b>{each['value']}</b></div>"
        for each in values
    )
    return (
        f'<details><summary>Features ({len(values)})</summary><div class="features">{items}</div></details>'
    )


def _table(title: str, columns: Mapping[str, Callable[[Row], str]], found: Sequence[Row]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(value(row))}</td>" for value in columns.values()) + "</tr>"
        for row in found
    )
    opened = " open" if len(found) <= MOST_OPEN else ""
    return (
        f'<details{opened}><summary>{escape(title)} ({len(found)})</summary><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


def _origin(row: Row) -> str:
    return f"payload {row['payload_id']} row {row['row_number']}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
