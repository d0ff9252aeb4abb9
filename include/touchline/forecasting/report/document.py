"""The report of a backtest: one HTML file for people, and the same as Markdown with pictures beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from touchline.forecasting.metrics import Scores
from touchline.forecasting.report import score_sections, weakness_sections
from touchline.forecasting.report.blocks import (
    Banner,
    Block,
    Heading,
    Paragraph,
    Picture,
    Points,
    html_page,
    markdown_page,
)
from touchline.forecasting.report.frame import Compared, compare, require_out_of_sample
from touchline.forecasting.report.money import all_money
from touchline.forecasting.report.money_section import money, truths
from touchline.forecasting.report.skill import EVERYTHING, gap_to_closing, skill_by
from touchline.forecasting.report.wording import percent, thousandths
from touchline.forecasting.specs import MARKET_CLOSING, ForecasterParameters
from touchline.identity.competitions import competitions

TITLE = "Backtest report"
HTML, MARKDOWN, PICTURES = "report.html", "report.md", "pictures"


@dataclass(frozen=True)
class ReportFiles:
    """What was written."""

    html: Path
    markdown: Path
    pictures: tuple[Path, ...]


def write_report(
    folder: Path,
    predictions: pd.DataFrame,
    evaluation: Mapping[str, Any],
    importance: pd.DataFrame | None = None,
) -> ReportFiles:
    """Write report.html, report.md and pictures/ to a folder, which is created if needed.

    `predictions` is a frame of `walk_forward`, `evaluation` its result from `evaluate` (or the object of
    `touchline backtest --json`), `importance` a frame of `forecaster_importance`. The same input writes the same
    bytes. Raises ForecastInSample for forecasts that are not proved to be out of sample, and ValueError when the
    forecasts have no match in common.
    """
    require_out_of_sample(predictions)
    blocks = tuple(report_blocks(predictions, evaluation, importance))
    beside = folder / PICTURES
    beside.mkdir(parents=True, exist_ok=True)
    pictures = {beside / f"{block.name}.png": block.png for block in blocks if isinstance(block, Picture)}
    for path, png in pictures.items():
        path.write_bytes(png)
    files = ReportFiles(folder / HTML, folder / MARKDOWN, tuple(pictures))
    files.html.write_text(html_page(TITLE, blocks), encoding="utf-8")
    files.markdown.write_text(markdown_page(blocks, PICTURES), encoding="utf-8")
    return files


def report_blocks(
    predictions: pd.DataFrame, evaluation: Mapping[str, Any], importance: pd.DataFrame | None
) -> Iterator[Block]:
    """The sections of the report in order."""
    seed = int(evaluation.get("parameters", {}).get("seed", ForecasterParameters().seed))
    compared = compare(predictions, seed)
    found = score_sections.scores_of(compared)
    with_close = compare(predictions, seed, needed=[MARKET_CLOSING])
    yield from _header(predictions, compared)
    bets = all_money(predictions, seed)
    yield Heading("In short")
    yield Points(
        (*_in_short(compared, found), *_gap_in_short(with_close), *islice(truths(compared, bets), 2))
    )
    yield from score_sections.scores(compared, found, evaluation)
    yield from score_sections.skill(compared, predictions, seed)
    yield from score_sections.gap(with_close)
    yield from weakness_sections.calibration(compared)
    yield from weakness_sections.worst(compared)
    yield from weakness_sections.importance(importance)
    yield from money(compared, predictions, bets, seed)


def _header(predictions: pd.DataFrame, compared: Compared) -> Iterator[Block]:
    codes = sorted(predictions["competition"].unique())
    known = competitions()
    if any(code in known and known[code].is_simulated for code in codes):
        yield Banner("SIMULATED football: teams, results and prices are invented")
    yield Heading(TITLE, 1)
    first, last = predictions["kickoff_at"].min(), predictions["kickoff_at"].max()
    named = ", ".join(f"{known[code].name} ({code})" if code in known else code for code in codes)
    yield Paragraph(
        f"{len(predictions):,} matches of {len(codes)} competition{'s' if len(codes) > 1 else ''} from "
        f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, seasons {', '.join(sorted(predictions['season'].unique()))}. Every "
        "forecast was made by models that had seen nothing from its match's kick-off on. They are compared on the "
        f"{len(compared.matches):,} matches that all of these cover: {', '.join(compared.names)}."
    )
    yield Paragraph(f"Competitions: {named}.")


def _in_short(compared: Compared, found: Mapping[str, Scores]) -> Iterator[str]:
    """The answers first: each model against the reference, and its calibration."""
    overall = {each.forecast: each for each in skill_by(compared, "season") if each.group == EVERYTHING}
    for name in reversed(compared.models()):
        if name not in overall:
            continue
        saved = overall[name].saved
        verdict = "ahead of" if saved.low > 0 else "behind" if saved.high < 0 else "not distinguishable from"
        yield (
            f"{name} is {verdict} {compared.reference}: log loss saved per match in thousandths, with its "
            f"95 % interval, is {thousandths(saved)}. Its calibration slope is "
            f"{found[name].slope:.3f}, its calibration error {found[name].ece:.4f}."
        )


def _gap_in_short(compared: Compared) -> Iterator[str]:
    for gap in gap_to_closing(compared):
        if gap.group == EVERYTHING and gap.forecast in compared.near() and gap.share is not None:
            yield (
                f"{gap.forecast} closes {percent(gap.share.value, 0)} of the gap to the closing price on {gap.n:,} "
                f"matches, 95 % interval {percent(gap.share.low, 0)} to {percent(gap.share.high, 0)}."
            )
