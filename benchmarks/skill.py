"""The targets of the forecasts on the real season files: `python -m benchmarks.skill --markdown docs/FORECASTS.md`.

Collects, builds and rates all seasons as production does, walks forward through the last four, and sets the forecasts
beside the markets and FiveThirtyEight's SPI. Intervals are of a bootstrap over matchdays.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from benchmarks.comparison import interval, markdown_table, replace_section
from benchmarks.played_seasons import Played, missing, played_seasons, seasons_played
from benchmarks.spi import spi_forecasts, spi_path
from touchline.forecasting.design import ModelInput
from touchline.forecasting.forecaster import N_SIDE_BY_SIDE, begin_fits, ended, prepared
from touchline.forecasting.metrics import (
    rps,
    score,
)
from touchline.forecasting.specs import LAST_PRICE, ForecasterParameters, fitters, ladder, nightly
from touchline.forecasting.walk_forward import probabilities_of, probability_columns, walk_forward


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as Markdown, and write them between the marks of a document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, help="document whose figures are written anew")
    options = parser.parse_args([] if arguments is None else arguments)
    if absent := missing(spi_path()):
        print(f"skill: skipped, {absent} is not there; set TOUCHLINE_SHARED_DATA")
        return
    console = Console(stderr=True)
    with console.status("collect, build, rate") as status:
        matches = played_seasons(on_progress=lambda step, done, total: status.update(step))
        status.update("forecast")
        seasons = seasons_played(matches)
        parameters = ForecasterParameters()
        predictions = walk_forward(matches, seasons, parameters)
        status.update("time one season")
        seconds = _seconds(matches, seasons[-1], parameters)
    text = _document(_played(predictions), matches, seconds)
    print(text)
    if options.markdown is not None:
        replace_section(options.markdown, "figures", text)


def _played(predictions: pd.DataFrame) -> Played:
    said = {
        name: probabilities_of(predictions, name)
        for name in ladder()
        if probability_columns(name)[0] in predictions
    }
    return Played(predictions, said).covered()


def _seconds(matches: pd.DataFrame, season: str, parameters: ForecasterParameters) -> tuple[float, float]:
    """Wall seconds to fit the forecasts of all three tracks for one season, and to forecast it."""
    tested = matches[matches["season"] == season]
    known = matches[matches["kickoff_at"] < tested["kickoff_at"].min()]
    started = time.perf_counter()
    with ThreadPoolExecutor(N_SIDE_BY_SIDE) as pool:
        candidates = ended(begin_fits(prepared(known), fitters(parameters, (*nightly(), LAST_PRICE)), pool))
    fitted = time.perf_counter()
    season_input = ModelInput(tested)
    for candidate in candidates.values():
        candidate.probabilities(season_input)
    return fitted - started, time.perf_counter() - fitted


def _document(played: Played, matches: pd.DataFrame, seconds: tuple[float, float]) -> str:
    spi = spi_forecasts(matches).set_index("match_id").reindex(played.frame["match_id"])
    theirs = spi[["p_home", "p_draw", "p_away"]].to_numpy(dtype=np.float64)
    beside = Played(played.frame, {**played.said, "spi": theirs}).covered()
    days = f"{played.frame['kickoff_at'].min().date()} to {played.frame['kickoff_at'].max().date()}"
    n_competitions = played.frame["competition"].nunique()
    return "\n\n".join(
        [
            f"**Targets** ({len(played.frame):,} matches, {n_competitions} competitions, {days})",
            _targets(played, beside, seconds),
            "**Every forecast on the same matches**",
            _scores(played),
            "**By season**: log loss, first less second, with its 95 % interval",
            _seasons(played),
            f"**Beside FiveThirtyEight's SPI** ({len(beside.frame):,} matches)",
            _scores(
                beside, ("no_odds", "spi", "market_prematch", "with_odds", "market_closing", "last_price")
            ),
        ]
    )


def _targets(played: Played, beside: Played, seconds: tuple[float, float]) -> str:
    share, low, high = played.gap_closed()
    ahead = beside.difference("no_odds", "spi", rps)
    last = played.difference("last_price", "market_closing")
    rows = [
        ["no odds, RPS on the matches of SPI", "0.2065", "0.2060",
         f"{beside.mean('no_odds', rps):.5f} (SPI {beside.mean('spi', rps):.5f}; {interval(ahead)})"],
        ["share of the gap to the close that is closed", "0.25", "0.40", f"{share:.3f} [{low:.3f}, {high:.3f}]"],
        ["with odds less pre-match market, log loss", "interval below 0", "",
         interval(played.difference("with_odds", "market_prematch"))],
        ["last price less closing market, log loss", "0 in every season", "interval below 0", interval(last)],
    ]  # fmt: skip
    for name in ("no_odds", "with_odds", "last_price"):
        found = score(played.said[name], played.outcomes)
        rows.append(
            [f"calibration of {name}: slope, ECE", "0.97 to 1.03, below 0.01", "0.99 to 1.01, below 0.005",
             f"{found.slope:.3f}, {found.ece:.4f}"]
        )  # fmt: skip
    rows.append(
        [
            "one season's fit and predict, all three tracks, s",
            "15",
            "8",
            f"{seconds[0]:.1f} + {seconds[1]:.1f}",
        ]
    )
    return markdown_table(("what", "floor", "target", "reached"), rows)


def _scores(played: Played, names: Sequence[str] | None = None) -> str:
    found = {name: score(played.said[name], played.outcomes) for name in names or played.said}
    rows = [
        [name, f"{each.rps:.5f}", f"{each.log_loss:.5f}", f"{each.brier:.5f}", f"{each.accuracy:.4f}",
         f"{each.ece:.4f}", f"{each.slope:.3f}"]
        for name, each in sorted(found.items(), key=lambda item: -item[1].log_loss)
    ]  # fmt: skip
    return markdown_table(("forecast", "RPS", "log loss", "Brier", "accuracy", "ECE", "slope"), rows)


def _seasons(played: Played) -> str:
    pairs = (
        ("with_odds", "market_prematch"),
        ("last_price", "market_closing"),
        ("last_price", "market_closing_pinnacle"),
    )
    rows = []
    for season in sorted(played.frame["season"].unique()):
        part = played.where((played.frame["season"] == season).to_numpy())
        told = [interval(part.difference(*pair)) for pair in pairs]
        rows.append([season, f"{len(part.frame):,}", f"{part.gap_closed()[0]:.2f}", *told])
    return markdown_table(("season", "n", "gap closed", *(f"{a} - {b}" for a, b in pairs)), rows)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
