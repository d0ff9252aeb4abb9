"""Sections about scores: overall, by season and competition, and compared with the closing price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from touchline.forecasting.metrics import Scores, score
from touchline.forecasting.report import plots
from touchline.forecasting.report.blocks import Block, Heading, Paragraph, Table, picture
from touchline.forecasting.report.frame import Compared, compare
from touchline.forecasting.report.intervals import Estimate
from touchline.forecasting.report.skill import EVERYTHING, gap_to_closing, skill_by
from touchline.forecasting.report.wording import percent, thousandths
from touchline.forecasting.specs import MARKET_PREMATCH
from touchline.forecasting.walk_forward import probabilities_of

# With fewer matches without a price, a table is not worthwhile.
FEWEST_UNPRICED = 50


def scores_of(compared: Compared) -> dict[str, Scores]:
    """Every score of every compared forecast, from the worst to the best."""
    return {name: score(compared.probabilities(name), compared.outcomes) for name in compared.names}


def scores(compared: Compared, found: Mapping[str, Scores], evaluation: Mapping[str, Any]) -> Iterator[Block]:
    """The ladder of forecasts, and the paired differences of the evaluation."""
    yield Heading("Scores")
    yield Paragraph(
        f"All scores are on the same {len(compared.matches):,} matches, which every forecast in the table covers, "
        "from the worst to the best log loss. RPS, log loss, Brier and ECE (expected calibration error): lower is "
        "better. A slope below 1 is overconfident, above 1 timid."
    )
    yield Table(
        "Scores of every forecast",
        ("forecast", "n", "RPS", "log loss", "Brier", "accuracy", "ECE", "slope"),
        tuple(
            (
                name, f"{each.n:,}", f"{each.rps:.5f}", f"{each.log_loss:.5f}", f"{each.brier:.5f}",
                percent(each.accuracy), f"{each.ece:.4f}", "" if np.isnan(each.slope) else f"{each.slope:.3f}",
            )
            for name, each in found.items()
        ),
    )  # fmt: skip
    for name, share in compared.left_out.items():
        yield Paragraph(
            f"Left out: {name}, which covers only {100 * share:.0f} % of the matches and would shrink the comparison. "
            "Differences from it are on the matches that it has."
        )
    paired = evaluation.get("paired", {})
    if paired:
        yield Table(
            "Paired differences in thousandths on the n matches of both, 95 % interval over matchdays (below zero: the "
            "first is better)",
            ("pair", "n", "RPS", "log loss"),
            tuple(
                (pair, f"{each['n']:,}", _difference(each["rps"]), _difference(each["log_loss"]))
                for pair, each in paired.items()
            ),
        )


def skill(compared: Compared, predictions: pd.DataFrame, seed: int) -> Iterator[Block]:
    """Skill against the reference by season and by competition; matches without prices separately."""
    yield Heading(f"Skill against {compared.reference}")
    yield Paragraph(
        f"Log loss per match saved against {compared.reference}; above zero is better. Bars are 95 % intervals from "
        "whole matchdays drawn with replacement. Forecasts far from the reference have their own panel and scale."
    )
    for column, plural, draw in (
        ("season", "seasons", plots.skill_by_season),
        ("competition", "competitions", plots.skill_by_competition),
    ):
        found = skill_by(compared, column)
        yield picture(
            f"skill_by_{column}", f"Log loss saved by {column}; the shaded group is all {plural} together.",
            draw(found, compared),
        )  # fmt: skip
        yield Table(
            f"Log loss saved by {column}, in thousandths",
            (column, "n", *compared.rivals),
            tuple(
                (
                    group,
                    f"{next(each.n for each in found if each.group == group):,}",
                    *(thousandths(each.saved) for each in found if each.group == group),
                )
                for group in dict.fromkeys(each.group for each in found)
            ),
            is_folded=True,
        )
    yield from _unpriced(compared, predictions, seed)


def gap(compared: Compared) -> Iterator[Block]:
    """How much of the gap to the closing price is closed, season by season; nothing without both markets."""
    found = [each for each in gap_to_closing(compared) if each.forecast in compared.near()]
    if not found:
        return
    yield Heading("Gap to the closing price")
    yield Paragraph(
        "The closing price is the best forecast known. The gap is the market's own gain in log loss from pre-match to "
        "close; the share is how much of it a forecast gains without closing prices. Where the gap is not clearly "
        "above zero, a share of it means nothing and is not given."
    )
    if any(each.share for each in found):
        yield picture(
            "gap_closed",
            "Share of the gap closed by season, with 95 % intervals.",
            plots.gap_closed(found, compared),
        )
    yield Table(
        "Gap closed",
        ("season", "forecast", "n", "gap (thousandths)", "share closed", "95 % interval"),
        tuple(
            (each.group, each.forecast, f"{each.n:,}", thousandths(each.width))
            + (
                (
                    percent(each.share.value, 0),
                    f"{100 * each.share.low:.0f} % to {100 * each.share.high:.0f} %",
                )
                if each.share
                else ("", "")
            )
            for each in found
        ),
    )


def _unpriced(compared: Compared, predictions: pd.DataFrame, seed: int) -> Iterator[Block]:
    if compared.reference != MARKET_PREMATCH:
        return
    p = probabilities_of(predictions, MARKET_PREMATCH)
    unpriced = predictions.iloc[np.flatnonzero(np.isnan(p).any(axis=1))]
    if len(unpriced) < FEWEST_UNPRICED:
        yield Paragraph(f"{len(unpriced):,} matches had no pre-match price; they are not in this section.")
        return
    apart = compare(unpriced, seed)
    found = [each for each in skill_by(apart, "season") if each.group == EVERYTHING]
    yield Table(
        f"Matches without a pre-match price: log loss saved against {apart.reference}, in thousandths",
        ("forecast", "n", "saved, 95 % interval"),
        tuple((each.forecast, f"{each.n:,}", thousandths(each.saved)) for each in found),
    )


def _difference(difference: Mapping[str, float]) -> str:
    return thousandths(Estimate(difference["difference"], difference["low"], difference["high"]))
