"""Pictures of skill: against the market by season and competition, gap to the close, worst slices, importance.

Colours are those of Okabe & Ito (2008), which colour-blind readers can distinguish; every forecast also has its own
marker. All pictures have a white background.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from touchline.forecasting.report.frame import Compared
from touchline.forecasting.report.intervals import Estimate
from touchline.forecasting.report.skill import Gap, Skill
from touchline.forecasting.report.slices import SliceResult
from touchline.forecasting.specs import own_colour

SPARE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
THOUSAND = 1000
WIDTH = 9.0
N_FEATURES = 15


def skill_by_season(skills: Sequence[Skill], compared: Compared) -> Figure:
    """Seasons from left to right, then all together; forecasts near the market and far from it have separate panels."""
    panels = _panels(compared)
    figure = Figure(figsize=(WIDTH, 3.3 * len(panels) + 0.4), layout="constrained")
    for axes, names in zip(_rows(figure, len(panels)), panels, strict=True):
        places = _groups(skills)
        for place, name in enumerate(names):
            shift = (place - (len(names) - 1) / 2) * min(0.14, 0.8 / len(names))
            found = [each for each in skills if each.forecast == name]
            positions = [places.index(each.group) + shift for each in found]
            _points(axes, positions, [each.saved for each in found], name, compared, vertical=True)
        sizes = {each.group: each.n for each in skills}
        axes.set_xticks(range(len(places)), [f"{group}\nn = {sizes[group]:,}" for group in places])
        _set_apart(axes, len(places), vertical=True)
        axes.axhline(0, color="black", linewidth=0.9)
        axes.set_ylabel(f"log loss saved against\n{compared.reference} (thousandths)")
        axes.grid(axis="y", alpha=0.3)
        _legend(axes)
    return figure


def skill_by_competition(skills: Sequence[Skill], compared: Compared) -> Figure:
    """Competitions from top to bottom, then all together; one panel for near forecasts, one for far ones."""
    panels, places = _panels(compared), _groups(skills)
    figure = Figure(figsize=(WIDTH, 0.36 * len(places) + 1.6), layout="constrained")
    for axes, names in zip(_columns(figure, len(panels)), panels, strict=True):
        for place, name in enumerate(names):
            shift = (place - (len(names) - 1) / 2) * min(0.2, 0.8 / len(names))
            found = [each for each in skills if each.forecast == name]
            positions = [places.index(each.group) + shift for each in found]
            _points(axes, positions, [each.saved for each in found], name, compared, vertical=False)
        axes.set_yticks(range(len(places)), places)
        axes.set_ylim(len(places) - 0.4, -0.6)
        _set_apart(axes, len(places), vertical=False)
        axes.axvline(0, color="black", linewidth=0.9)
        axes.set_xlabel(f"log loss saved against {compared.reference}\n(thousandths)")
        axes.grid(axis="x", alpha=0.3)
        _legend(axes, columns=2)
    return figure


def gap_closed(gaps: Sequence[Gap], compared: Compared) -> Figure:
    """Share of the gap from pre-match to closing market, by season; 100 % is as good as the closing price."""
    known = [each for each in gaps if each.forecast in compared.near() and each.share is not None]
    groups = list(dict.fromkeys(each.group for each in gaps))
    names = list(dict.fromkeys(each.forecast for each in known))
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(names):
        shift = (place - (len(names) - 1) / 2) * min(0.14, 0.8 / len(names))
        found = [each for each in known if each.forecast == name]
        positions = [groups.index(each.group) + shift for each in found]
        shares = [each.share for each in found if each.share is not None]
        _points(axes, positions, shares, name, compared, vertical=True, scale=100)
    axes.axhline(0, color="#999999", linewidth=1.2)
    axes.axhline(100, color="#555555", linewidth=1.2)
    for height, text in ((0, "pre-match market"), (100, "closing market")):
        axes.annotate(text, (1, height), xycoords=("axes fraction", "data"), xytext=(-4, 3), ha="right",
                      textcoords="offset points", fontsize=8, color="#555555")  # fmt: skip
    axes.set_xticks(range(len(groups)), groups)
    axes.set_xlim(-0.6, len(groups) - 0.2)
    axes.set_ylim(top=max(112.0, axes.get_ylim()[1]))
    axes.set_ylabel("share of the gap closed (%)")
    axes.grid(axis="y", alpha=0.3)
    _legend(axes)
    return figure


def worst_slices(worst: Sequence[SliceResult], forecast: str, reference: str) -> Figure:
    """The interval of each slice alone (thick), and the one that holds for all slices at once (thin)."""
    figure = Figure(figsize=(WIDTH, 0.3 * len(worst) + 1.1), layout="constrained")
    axes = figure.subplots()
    for place, each in enumerate(worst):
        axes.plot(
            [THOUSAND * each.together.low, THOUSAND * each.together.high],
            [place] * 2,
            color="#999999",
            linewidth=1,
        )
        axes.plot(
            [THOUSAND * each.lost.low, THOUSAND * each.lost.high], [place] * 2, color="#0072b2", linewidth=3.5
        )
        axes.plot(THOUSAND * each.lost.value, place, "o", color="#d55e00", markersize=5)
    axes.axvline(0, color="black", linewidth=0.9)
    axes.set_yticks(range(len(worst)), [f"{each.name}  (n = {each.n:,})" for each in worst], fontsize=8.5)
    axes.set_ylim(len(worst) - 0.4, -0.6)
    axes.set_xlabel(f"log loss of {forecast} less that of {reference} (thousandths; right of 0 is worse)")
    axes.grid(axis="x", alpha=0.3)
    return figure


def importance_bars(importance: pd.DataFrame, forecast: str) -> Figure:
    """The features of one forecast that move it most, and which outcome they move."""
    outcomes = [name for name in importance if name not in ("forecast", "feature", "mean")]
    shown = importance[importance["forecast"] == forecast].nlargest(N_FEATURES, "mean")
    figure = Figure(figsize=(WIDTH, 0.28 * len(shown) + 1.1), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(shown))
    axes.barh(places, shown["mean"], color="#c9d6e2", label="mean")
    for name, colour, marker in zip(outcomes, ("#0072b2", "#555555", "#d55e00"), MARKERS, strict=False):
        axes.plot(shown[name], places, marker, color=colour, markersize=5, linestyle="", label=name)
    axes.set_yticks(places, list(shown["feature"]), fontsize=8.5)
    axes.invert_yaxis()
    axes.set_xlabel(f"mean |SHAP| in {forecast}, log-odds units")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(frameon=False, fontsize=8.5, loc="lower right")
    return figure


def colour_of(name: str, names: Sequence[str]) -> str:
    """The same colour for a forecast in every picture; spare colours for forecasts without their own."""
    return own_colour(name) or SPARE_COLOURS[list(names).index(name) % len(SPARE_COLOURS)]


def marker_of(name: str, names: Sequence[str]) -> str:
    """The same marker for a forecast in every picture."""
    return MARKERS[list(names).index(name) % len(MARKERS)]


def _panels(compared: Compared) -> list[tuple[str, ...]]:
    near = compared.near()
    far = tuple(name for name in compared.rivals if name not in near)
    return [names for names in (near, far) if names]


def _groups(skills: Sequence[Skill]) -> list[str]:
    return list(dict.fromkeys(each.group for each in skills))


def _points(
    axes: Axes, positions: Sequence[float], estimates: Sequence[Estimate], name: str, compared: Compared,
    *, vertical: bool, scale: float = THOUSAND,
) -> None:  # fmt: skip
    values = np.array([each.value for each in estimates]) * scale
    lower = values - np.array([each.low for each in estimates]) * scale
    upper = np.array([each.high for each in estimates]) * scale - values
    error = np.stack([lower, upper])
    x, y = (positions, values) if vertical else (values, positions)
    axes.errorbar(
        x, y, xerr=None if vertical else error, yerr=error if vertical else None, label=name, capsize=0,
        color=colour_of(name, compared.names), fmt=marker_of(name, compared.names), markersize=5.5, elinewidth=1.6,
    )  # fmt: skip


def _set_apart(axes: Axes, n_groups: int, *, vertical: bool) -> None:
    """Shade the last group, which contains all the others."""
    shade = axes.axvspan if vertical else axes.axhspan
    shade(n_groups - 1.5, n_groups - 0.5, color="#eef2f6", zorder=0, linewidth=0)
    if vertical:
        axes.set_xlim(-0.6, n_groups - 0.5)


def _legend(axes: Axes, columns: int = 5) -> None:
    axes.legend(frameon=False, fontsize=8.5, ncols=columns, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _rows(figure: Figure, n: int) -> list[Axes]:
    return list(np.ravel(figure.subplots(n, 1)))


def _columns(figure: Figure, n: int) -> list[Axes]:
    return list(np.ravel(figure.subplots(1, n, sharey=True)))
