"""The skill table: how the champion's forecasts did against the market, on matches they had not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from touchline.settings import Settings

SCORES = {"rps": "RPS", "log_loss": "log loss", "brier": "Brier", "accuracy": "accuracy", "ece": "ECE"}
MARKET = "market_prematch"


def skill_table(settings: Settings) -> Table:
    """Scores of every forecast of the champion's walk-forward evaluation, best first; empty without a champion."""
    from touchline.registry.models import CHAMPION, versions
    from touchline.registry.tracking import open_registry

    champion = next((each for each in versions(open_registry(settings)) if CHAMPION in each.aliases), None)
    metrics = {} if champion is None else champion.metrics
    title = "Skill against the market" + (" (SIMULATED football)" if settings.is_simulated else "")
    table = Table(title=title)
    table.add_column("forecast")
    for name in (*SCORES.values(), "log loss minus market's"):
        table.add_column(name, justify="right")
    ends = ".log_loss"
    forecasts = [name.removesuffix(ends) for name in metrics if name.endswith(ends) and " minus " not in name]
    for name in sorted(forecasts, key=lambda each: metrics[f"{each}.log_loss"]):
        scores = [f"{metrics[key]:.4f}" if (key := f"{name}.{score}") in metrics else "" for score in SCORES]
        table.add_row(name, *scores, _difference(metrics, name))
    if champion is not None:
        table.caption = (
            f"champion version {champion.version} (primary {champion.tags.get('primary', '')}), "
            f"{metrics.get('held_out_matches', 0):,.0f} held-out matches"
        )
    return table


def _difference(metrics: dict[str, float], name: str) -> str:
    """The paired difference with its 95 % interval and matches where it was measured; below zero beats the market."""
    pair = f"{name} minus {MARKET}"
    parts = [metrics.get(f"{pair}.log_loss.{part}") for part in ("difference", "low", "high")]
    if any(part is None for part in parts):
        return ""
    difference, low, high = parts
    # A version that was trained before has no number.
    of = f" of {metrics[f'{pair}.n']:,.0f}" if f"{pair}.n" in metrics else ""
    return f"{difference:+.4f} \\[{low:+.4f}, {high:+.4f}]{of}"
