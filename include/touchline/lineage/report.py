"""A page for people about one prediction: a picture of where it came from, and tables. One file, nothing loaded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from touchline.database.engine import connect, rows
from touchline.database.queries import query
from touchline.lineage.picture import Picture, draw
from touchline.lineage.trace import LineageReport
from touchline.pages import environment
from touchline.settings import Settings

LEARNED: Final = "lineage/sql/learned"
# Longer tables are folded up.
MOST_OPEN: Final = 8


def write_report(settings: Settings, report: LineageReport, path: Path) -> None:
    """Write the page of a prediction's lineage to a file, making its folder if need be."""
    with connect(settings, "model") as connection:
        found = rows(connection, query(LEARNED), {"version": report.version})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(report, found[0]["detail"] if found else None), encoding="utf-8")


def page(report: LineageReport, learned: Mapping[str, Any] | None) -> str:
    """The page as HTML. `learned` is what ops.lineage_edge knows of the version's training, if anything."""
    return _render("report.html", report, draw(report, learned), learned=learned, most_open=MOST_OPEN)


def svg(report: LineageReport, learned: Mapping[str, Any] | None) -> str:
    """The picture alone, as an SVG element."""
    return _render("picture.svg", report, draw(report, learned))


def _render(template: str, report: LineageReport, picture: Picture, **values: Any) -> str:
    return _pages.get_template(template).render(report=report, picture=picture, **values)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _prices(quote: Mapping[str, Any]) -> str:
    prices = (quote[name] for name in quote if name.startswith("price_"))
    return " / ".join(f"{price:.2f}" for price in prices if price is not None)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


_pages = environment(Path(__file__).with_name("templates"))
_pages.filters |= {"utc": _utc, "prices": _prices, "short": _short}
