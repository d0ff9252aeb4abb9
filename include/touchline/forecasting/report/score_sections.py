"""Sections about scores: how good, by season and competition, how near the close, how calibrated, where worst."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from touchline.forecasting.forecaster import NO_ODDS
from touchline.forecasting.metrics import Scores, score
from touchline.forecasting.report import diagrams, plots
from touchline.forecasting.report.blocks import Block, Heading, Paragraph, Table, picture
from touchline.forecasting.report.calibration import (
    CalibrationCell,
    calibration_at_large,
    calibration_cells,
)
from touchline.forecasting.report.frame import Compared, compare, is_at_the_close
from touchline.forecasting.report.intervals import Estimate
from touchline.forecasting.report.skill import EVERYTHING, gap_to_closing, skill_by
from touchline.forecasting.report.slices import SliceResult, slice_results
from touchline.forecasting.walk_forward import (
    BASE_RATES,
    MARKET_CLOSING,
    MARKET_PREMATCH,
    probabilities_of,
)

N_WORST = 20
THOUSAND = 1000
# Fewer matches without a price are not worth a table.
FEWEST_UNPRICED = 50


def scores_of(compared: Compared) -> dict[str, Scores]:
    """Every score of every compared forecast, from the worst to the best."""
    return {name: score(compared.probabilities(name), compared.outcomes) for name in compared.names}


def scores(compared: Compared, found: Mapping[str, Scores], evaluation: Mapping[str, Any]) -> Iterator[Block]:
    """The ladder of forecasts, and the paired differences of the evaluation."""
    yield Heading("Scores")
    yield Paragraph(
        f"All on the same {len(compared.matches):,} matches, the ones that every forecast in the table covers; "
        "from the worst to the best log loss. RPS, log loss, Brier and ECE (expected calibration error): lower is "
        "better. A slope below 1 is overconfident, above 1 timid."
    )
    yield Table(
        "Scores of every forecast",
        ("forecast", "n", "RPS", "log loss", "Brier", "accuracy", "ECE", "slope"),
        tuple(
            (
                name, f"{each.n:,}", f"{each.rps:.5f}", f"{each.log_loss:.5f}", f"{each.brier:.5f}",
                f"{100 * each.accuracy:.1f} %", f"{each.ece:.4f}", "" if np.isnan(each.slope) else f"{each.slope:.3f}",
            )
            for name, each in found.items()
        ),
    )  # fmt: skip
    for name, share in compared.left_out.items():
        yield Paragraph(
            f"Left out: {name}, which covers only {100 * share:.0f} % of the matches and would shrink the comparison."
        )
    paired = evaluation.get("paired", {})
    if paired:
        yield Table(
            "Paired differences in thousandths, 95 % interval over matchdays (below zero: the first is better)",
            ("pair", "n", "RPS", "log loss"),
            tuple(
                (pair, f"{each['n']:,}", _difference(each["rps"]), _difference(each["log_loss"]))
                for pair, each in paired.items()
            ),
        )


def skill(compared: Compared, predictions: pd.DataFrame, seed: int) -> Iterator[Block]:
    """Skill against the reference by season and by competition; the matches nobody priced apart."""
    yield Heading(f"Skill against {compared.reference}")
    yield Paragraph(
        f"Log loss per match saved against {compared.reference}: above zero beats it. Bars are 95 % intervals from "
        "whole matchdays drawn with replacement. Forecasts far from the reference have a panel of their own, with a "
        "scale of its own."
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
                    *(_signed(each.saved) for each in found if each.group == group),
                )
                for group in dict.fromkeys(each.group for each in found)
            ),
            is_folded=True,
        )
    yield from _unpriced(compared, predictions, seed)


def gap(compared: Compared) -> Iterator[Block]:
    """How much of the way to the closing price is gone, season by season; nothing without both markets."""
    found = [each for each in gap_to_closing(compared) if each.forecast in compared.near()]
    if not found:
        return
    yield Heading("Gap to the closing price")
    yield Paragraph(
        "The closing price is the best forecast known. The gap is what the market itself gains in log loss from "
        "pre-match to close; the share is how much of it a forecast gains that never saw a closing price. Where the "
        "gap is not clearly above zero, a share of it means nothing and is not given."
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
            (each.group, each.forecast, f"{each.n:,}", _signed(each.width))
            + (
                (
                    f"{100 * each.share.value:.0f} %",
                    f"{100 * each.share.low:.0f} % to {100 * each.share.high:.0f} %",
                )
                if each.share
                else ("", "")
            )
            for each in found
        ),
    )


def calibration(compared: Compared) -> Iterator[Block]:
    """Reliability diagrams, the distance by outcome, and the figures behind them."""
    yield Heading("Calibration")
    yield Paragraph(
        "Of what is forecast at 30 %, 30 % should happen. The grey band is where 95 of 100 shares would be if every "
        "forecast were right (binomial): one point in twenty outside of it is chance."
    )
    yield picture("reliability", "Reliability of every forecast.", diagrams.reliability_diagrams(compared))
    shown = models(compared)
    yield picture(
        "calibration_by_outcome", "Share less forecast by probability and outcome: zero is perfect.",
        diagrams.distance_from_calibration(compared, shown),
    )  # fmt: skip
    yield Table(
        "Calibration at large: how often home, draw and away were forecast, and happened",
        ("forecast", "outcome", "forecast share", "share that happened", "95 % by chance", ""),
        tuple(
            (name, cell.outcome, _percent(cell.forecast), _percent(cell.share), _band(cell), _verdict(cell))
            for name in compared.names
            for cell in calibration_at_large(compared.probabilities(name), compared.outcomes)
        ),
        is_folded=True,
    )
    for name in shown:
        cells = calibration_cells(compared.probabilities(name), compared.outcomes)
        outside = sum(not cell.is_within for cell in cells)
        yield Table(
            f"Calibration of {name} by probability and outcome: {outside} of {len(cells)} cells outside of the band, "
            f"{0.05 * len(cells):.1f} expected by chance",
            ("outcome", "probability", "n", "mean forecast", "share that happened", "95 % by chance", ""),
            tuple(
                (
                    cell.outcome, f"{100 * cell.bin_low:.0f}-{100 * cell.bin_high:.0f} %", f"{cell.n:,}",
                    _percent(cell.forecast), _percent(cell.share), _band(cell), _verdict(cell),
                )
                for cell in cells
            ),
            is_folded=True,
        )  # fmt: skip


def worst(compared: Compared) -> Iterator[Block]:
    """For each model the slices in which it loses most to the market of its time."""
    yield Heading("Where it is worst")
    yield Paragraph(
        "Competitions, seasons, months, sides new to a competition, early and late matches, favourites: every slice "
        f"of enough matches is compared with the market, and the {N_WORST} worst are shown. Picked out of many, some "
        "look bad by chance. The thin interval is honest about that: it holds for all slices at once, and only where "
        "it leaves out zero is a weakness established."
    )
    for name in reversed(models(compared)):
        reference = MARKET_CLOSING if is_at_the_close(name) else compared.reference
        if reference not in compared.names or reference == name:
            continue
        found = slice_results(compared, name, reference)
        if not found:
            continue
        yield Heading(f"{name} against {reference}", 3)
        yield Paragraph(_multiplicity(found))
        yield picture(
            f"worst_{name}", f"The {min(N_WORST, len(found))} slices in which {name} loses most to {reference}.",
            plots.worst_slices(found[:N_WORST], name, reference),
        )  # fmt: skip
        yield Table(
            f"Worst slices of {name}: log loss lost against {reference}, in thousandths",
            ("slice", "kind", "n", "lost, 95 % interval", "interval for all slices at once", ""),
            tuple(
                (
                    each.name, each.kind, f"{each.n:,}", _signed(each.lost), _interval(each.together),
                    "established" if each.stands else "may be chance",
                )
                for each in found[:N_WORST]
            ),
            is_folded=True,
        )  # fmt: skip


def importance(found: pd.DataFrame | None) -> Iterator[Block]:
    """What moves the boosted forecasts; nothing when it was not measured."""
    if found is None or found.empty:
        return
    yield Heading("What the trees look at")
    yield Paragraph(
        "Mean absolute SHAP value of each feature (exact, from the trees themselves): how far it moves the log-odds "
        "of home, draw and away in an average match. It says what a model uses, not what causes results; features "
        "that say the same share their weight."
    )
    for name in found["forecast"].drop_duplicates():
        yield picture(
            f"importance_{name}",
            f"The features that move {name} most.",
            plots.importance_bars(found, str(name)),
        )


def models(compared: Compared) -> tuple[str, ...]:
    """The forecasts worth a close look: neither a market nor base rates, near the market, and no_odds."""
    return tuple(
        name
        for name in compared.names
        if name != BASE_RATES
        and not name.startswith("market_")
        and (name in compared.near() or name == NO_ODDS)
    )


def _unpriced(compared: Compared, predictions: pd.DataFrame, seed: int) -> Iterator[Block]:
    if compared.reference != MARKET_PREMATCH:
        return
    priced = np.isfinite(probabilities_of(predictions, MARKET_PREMATCH)).all(axis=1)
    if (~priced).sum() < FEWEST_UNPRICED:
        yield Paragraph(
            f"{int((~priced).sum()):,} matches had no pre-match price; they are not in this section."
        )
        return
    apart = compare(predictions.loc[~priced], seed)
    found = [each for each in skill_by(apart, "season") if each.group == EVERYTHING]
    yield Table(
        f"Matches without a pre-match price: log loss saved against {apart.reference}, in thousandths",
        ("forecast", "n", "saved, 95 % interval"),
        tuple((each.forecast, f"{each.n:,}", _signed(each.saved)) for each in found),
    )


def _multiplicity(found: Sequence[SliceResult]) -> str:
    alone = sum(each.lost.low > 0 for each in found)
    together = sum(each.stands and each.lost.value > 0 for each in found)
    return (
        f"{len(found)} slices looked at. Taken alone {alone} are worse than the reference, where "
        f"{0.025 * len(found):.1f} would be by chance if it were as good everywhere; taken together {together} "
        f"{'is' if together == 1 else 'are'} established."
    )


def _difference(difference: Mapping[str, float]) -> str:
    return _signed(Estimate(difference["difference"], difference["low"], difference["high"]))


def _signed(estimate: Estimate) -> str:
    """In thousandths, with its interval."""
    return f"{THOUSAND * estimate.value:+.2f} {_interval(estimate)}"


def _interval(estimate: Estimate) -> str:
    return f"[{THOUSAND * estimate.low:+.2f}, {THOUSAND * estimate.high:+.2f}]"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _band(cell: CalibrationCell) -> str:
    return f"{100 * cell.low:.1f} to {100 * cell.high:.1f} %"


def _verdict(cell: CalibrationCell) -> str:
    return "" if cell.is_within else ("happens more" if cell.share > cell.forecast else "happens less")
