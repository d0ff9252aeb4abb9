"""Pictures logged with every model: whether it is calibrated, and whether it beats the market, season by season."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from touchline.forecasting.metrics import calibration_curve
from touchline.forecasting.specs import (
    BASE_RATES,
    MARKET_CLOSING,
    MARKET_PREMATCH,
    own_colour,
    primary_candidates,
)
from touchline.forecasting.walk_forward import probabilities_of

# A share from fewer forecasts says little, but attracts attention.
FEWEST_IN_BIN = 20


def reliability_diagram(predictions: pd.DataFrame, forecasts: list[str], title: str) -> Figure:
    """Observed share against forecast probability of the pooled outcomes, and how often each was forecast."""
    figure = Figure(figsize=(6.4, 7.2), layout="constrained")
    diagram, counts = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
    diagram.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle="--", label="perfect")
    outcomes = predictions["outcome"].to_numpy(dtype=np.int64)
    for name in forecasts:
        p = probabilities_of(predictions, name)
        known = np.isfinite(p).all(axis=1)
        forecast, share, n = calibration_curve(p[known], outcomes[known])
        enough = n >= FEWEST_IN_BIN
        diagram.plot(
            forecast[enough], share[enough], marker="o", markersize=4, color=own_colour(name), label=name
        )
        counts.step(forecast, n, where="mid", color=own_colour(name))
    diagram.set(title=title, ylabel="share that happened", xlim=(0, 1), ylim=(0, 1))
    diagram.legend(loc="upper left", frameon=False)
    diagram.grid(alpha=0.3)
    counts.set(xlabel="forecast probability (home, draw and away pooled)", ylabel="forecasts", yscale="log")
    counts.grid(alpha=0.3)
    return figure


def skill_by_season(evaluation: dict[str, Any], title: str) -> Figure:
    """Log loss of the reference minus that of each forecast, one group of bars per season; above zero is better.

    The reference is the pre-match market, or base rates where there is no market.
    """
    reference = MARKET_PREMATCH if MARKET_PREMATCH in evaluation["forecasts"] else BASE_RATES
    wanted = (*primary_candidates(), MARKET_CLOSING, MARKET_PREMATCH)
    shown = [name for name in wanted if name in evaluation["forecasts"] and name != reference]
    seasons = list(evaluation["seasons"])
    figure = Figure(figsize=(max(6.4, 1.6 * len(seasons) + 3), 4.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(shown)
    for position, name in enumerate(shown):
        parts = [evaluation["seasons"][season]["forecasts"] for season in seasons]
        skill = [1000 * (part[reference]["log_loss"] - part[name]["log_loss"]) for part in parts]
        places = np.arange(len(seasons)) + (position - (len(shown) - 1) / 2) * width
        bars = axes.bar(places, skill, width * 0.9, color=own_colour(name), label=name)
        axes.bar_label(bars, fmt="%.1f", fontsize=7, padding=2)
    axes.axhline(0, color="black", linewidth=0.8)
    labels = [f"{season}\n{evaluation['seasons'][season]['matches']:,} matches" for season in seasons]
    axes.set_xticks(np.arange(len(seasons)), labels)
    axes.set(title=title, ylabel=f"log loss saved against {reference}\n(thousandths; above 0 is better)")
    axes.legend(frameon=False, ncols=len(shown), loc="upper center", bbox_to_anchor=(0.5, -0.16))
    axes.grid(axis="y", alpha=0.3)
    axes.margins(y=0.1)
    return figure
