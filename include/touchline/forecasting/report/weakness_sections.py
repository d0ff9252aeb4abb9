"""Sections about weaknesses: calibration, the worst slices, and the importance of features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from touchline.forecasting.logistic import Floats, Ints
from touchline.forecasting.report import diagrams, plots
from touchline.forecasting.report.blocks import Block, Heading, Paragraph, Table, picture
from touchline.forecasting.report.calibration import (
    CalibrationCell,
    calibration_at_large,
    calibration_cells,
)
from touchline.forecasting.report.frame import Compared, is_at_the_close
from touchline.forecasting.report.slices import SliceResult, slice_results
from touchline.forecasting.report.wording import percent, thousandths, thousandths_interval
from touchline.forecasting.specs import MARKET_CLOSING

N_WORST = 20
# Kinds with too many slices for a readable table.
NARROW = ("competition", "competition and season")


def calibration(compared: Compared) -> Iterator[Block]:
    """Reliability diagrams, deviations by outcome, and the figures behind them."""
    yield Heading("Calibration")
    yield Paragraph(
        "Of the outcomes forecast at 30 %, 30 % should happen. If every forecast were right, 95 of 100 shares would be "
        "in the grey band (binomial); so one point in twenty is outside by chance."
    )
    yield picture("reliability", "Reliability of every forecast.", diagrams.reliability_diagrams(compared))
    shown = compared.models()
    yield picture(
        "calibration_by_outcome", "Share less forecast by probability and outcome: zero is perfect.",
        diagrams.distance_from_calibration(compared, shown),
    )  # fmt: skip
    yield Table(
        "Calibration at large: how often home, draw and away were forecast, and happened",
        ("forecast", "outcome", "forecast share", "share that happened", "95 % by chance", ""),
        tuple(
            (name, cell.outcome, percent(cell.forecast), percent(cell.share), _band(cell), _verdict(cell))
            for name in compared.names
            for cell in calibration_at_large(compared.probabilities(name), compared.outcomes)
        ),
        is_folded=True,
    )
    for name in shown:
        yield cells_table(name, compared.probabilities(name), compared.outcomes)


def cells_table(name: str, probabilities: Floats, outcomes: Ints) -> Table:
    """The cells of a forecast by probability and outcome, with how many of them chance does not explain."""
    cells = calibration_cells(probabilities, outcomes)
    outside = sum(not cell.is_within for cell in cells)
    return Table(
        f"Calibration of {name} by probability and outcome: {outside} of {len(cells)} cells outside of the band, "
        f"{0.05 * len(cells):.1f} expected by chance",
        ("outcome", "probability", "n", "mean forecast", "share that happened", "95 % by chance", ""),
        tuple(
            (
                cell.outcome, f"{100 * cell.bin_low:.0f}-{100 * cell.bin_high:.0f} %", f"{cell.n:,}",
                percent(cell.forecast), percent(cell.share), _band(cell), _verdict(cell),
            )
            for cell in cells
        ),
        is_folded=True,
    )  # fmt: skip


def worst(compared: Compared) -> Iterator[Block]:
    """For each model, the slices in which it loses most to the market of its time."""
    yield Heading("Where it is worst")
    yield Paragraph(
        "Competitions, seasons, months, sides new to a competition, early and late matches, favourites: every slice "
        f"of enough matches is compared with the market, and the {N_WORST} worst are shown. Among so many, some look "
        "bad by chance. The thin interval allows for that: it holds for all slices at once, and a weakness is "
        "established only where it excludes zero."
    )
    for name in reversed(compared.models()):
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
        yield _slice_table(f"Worst slices of {name}", found[:N_WORST], reference)
        broad = sorted(
            (each for each in found if each.kind not in NARROW), key=lambda each: (each.kind, each.name)
        )
        yield _slice_table(f"Every broad slice of {name}", broad, reference)


def importance(found: pd.DataFrame | None) -> Iterator[Block]:
    """What moves the boosted forecasts; nothing when it was not measured."""
    if found is None or found.empty:
        return
    yield Heading("What the trees look at")
    yield Paragraph(
        "Mean absolute SHAP value of each feature (exact, from the trees themselves): how far it moves the log-odds "
        "of home, draw and away in an average match. It says what a model uses, not what causes results; features "
        "with the same information share its weight."
    )
    for name in found["forecast"].drop_duplicates():
        yield picture(
            f"importance_{name}",
            f"The features that move {name} most.",
            plots.importance_bars(found, str(name)),
        )


def _slice_table(title: str, found: Sequence[SliceResult], reference: str) -> Table:
    return Table(
        f"{title}: log loss lost against {reference}, in thousandths",
        ("slice", "kind", "n", "lost, 95 % interval", "interval for all slices at once", ""),
        tuple(
            (
                each.name, each.kind, f"{each.n:,}", thousandths(each.lost), thousandths_interval(each.together),
                ("worse" if each.lost.value > 0 else "better") if each.stands else "may be chance",
            )
            for each in found
        ),
        is_folded=True,
    )  # fmt: skip


def _multiplicity(found: Sequence[SliceResult]) -> str:
    alone = sum(each.lost.low > 0 for each in found)
    together = sum(each.stands and each.lost.value > 0 for each in found)
    return (
        f"{len(found)} slices were compared. Taken alone, {alone} are worse than the reference; if the forecast were "
        f"as good everywhere, {0.025 * len(found):.1f} would be worse by chance. Taken together, {together} "
        f"{'is' if together == 1 else 'are'} established."
    )


def _band(cell: CalibrationCell) -> str:
    return f"{100 * cell.low:.1f} to {100 * cell.high:.1f} %"


def _verdict(cell: CalibrationCell) -> str:
    return "" if cell.is_within else ("happens more" if cell.share > cell.forecast else "happens less")
