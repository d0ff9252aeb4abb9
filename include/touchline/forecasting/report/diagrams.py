"""Diagrams of calibration and of money: reliability, distance from it by outcome, bankrolls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from touchline.forecasting.metrics import OUTCOMES
from touchline.forecasting.report.calibration import CalibrationCell, calibration_cells, pooled_cells
from touchline.forecasting.report.frame import Compared
from touchline.forecasting.report.money import Money
from touchline.forecasting.report.plots import WIDTH, colour_of

PER_ROW = 3


def reliability_diagrams(compared: Compared) -> Figure:
    """One panel per forecast: observed share against forecast, outcomes pooled, over the band that chance explains."""
    figure, panels = _grid(len(compared.names), height=2.9)
    for axes, name in zip(panels, compared.names, strict=False):
        cells = pooled_cells(compared.probabilities(name), compared.outcomes)
        forecast = [cell.forecast for cell in cells]
        axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle="--")
        axes.fill_between(
            forecast,
            [cell.low for cell in cells],
            [cell.high for cell in cells],
            color="#999999",
            alpha=0.35,
            linewidth=0,
        )
        axes.plot(
            forecast,
            [cell.share for cell in cells],
            "o-",
            color=colour_of(name, compared.names),
            markersize=3.5,
            linewidth=1.2,
        )
        axes.set(title=name, xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.title.set_fontsize(10)
        axes.grid(alpha=0.3)
    figure.supxlabel("forecast probability (home, draw and away pooled)", fontsize=9.5)
    figure.supylabel("share that happened", fontsize=9.5)
    return figure


def distance_from_calibration(compared: Compared, names: Sequence[str]) -> Figure:
    """Observed share minus forecast, one row per forecast and one column per outcome: the diagonal magnified."""
    figure = Figure(figsize=(WIDTH, 2.3 * len(names) + 0.6), layout="constrained")
    panels = figure.subplots(len(names), len(OUTCOMES), sharex=True, sharey=True, squeeze=False)
    for row, name in zip(panels, names, strict=True):
        cells = calibration_cells(compared.probabilities(name), compared.outcomes)
        for axes, outcome in zip(row, OUTCOMES, strict=True):
            _distance(
                axes, [cell for cell in cells if cell.outcome == outcome], colour_of(name, compared.names)
            )
            axes.set_title(f"{name}: {outcome}", fontsize=9.5)
    figure.supxlabel("forecast probability", fontsize=9.5)
    figure.supylabel("share that happened less forecast", fontsize=9.5)
    return figure


def bankrolls(found: Sequence[Money], names: Sequence[str]) -> Figure:
    """Profit of flat stakes in units, and the bankroll of Kelly stakes on a logarithmic scale, day by day."""
    figure = Figure(figsize=(WIDTH, 6.4), layout="constrained")
    flat, kelly = figure.subplots(2, 1, sharex=True)
    panels: Mapping[str, Axes] = {"flat": flat, "kelly": kelly}
    for each in found:
        days = np.array(each.balance.index, dtype="datetime64[D]")
        line = "-" if each.prices.label.startswith("best") else ":"
        panels[each.plan].plot(
            days, each.balance.to_numpy(dtype=np.float64), line, color=colour_of(each.forecast, names), linewidth=1.4,
            label=f"{each.forecast}, {each.prices.label.removesuffix(' price')}",
        )  # fmt: skip
    flat.axhline(0, color="black", linewidth=0.8)
    flat.set_ylabel("flat stakes: profit (units)")
    kelly.set_yscale("log")
    kelly.set_ylabel("Kelly stakes: bankroll (units, log scale)")
    for axes in (flat, kelly):
        axes.grid(alpha=0.3)
    flat.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _distance(axes: Axes, cells: Sequence[CalibrationCell], colour: str) -> None:
    forecast = np.array([cell.forecast for cell in cells])
    low, high, share = (
        np.array([getattr(cell, name) for cell in cells]) - forecast for name in ("low", "high", "share")
    )
    axes.axhline(0, color="black", linewidth=0.8, linestyle="--")
    axes.fill_between(forecast, low, high, color="#999999", alpha=0.35, linewidth=0)
    axes.plot(forecast, share, "o-", color=colour, markersize=3.5, linewidth=1.2)
    axes.grid(alpha=0.3)


def _grid(n: int, height: float) -> tuple[Figure, list[Axes]]:
    columns = min(PER_ROW, n)
    rows = math.ceil(n / columns)
    figure = Figure(figsize=(WIDTH, height * rows + 0.5), layout="constrained")
    panels = list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
    for empty in panels[n:]:
        empty.set_axis_off()
    return figure, panels[:n]
