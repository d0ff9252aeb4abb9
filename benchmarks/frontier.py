"""What each part of the forecasts is worth: `python -m benchmarks.frontier --markdown docs/FORECASTS.md`.

Every part is left out in turn, and everything is fitted, calibrated and walked forward again without it, on the real
season files. What is lost then, on the same matches, is what that part gains where all the others are there.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import track

from benchmarks.comparison import interval, markdown_table, replace_section
from benchmarks.played_seasons import Played, missing, played_seasons, seasons_played
from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import log_loss, rps
from touchline.forecasting.specs import (
    MARKET,
    MARKET_CLOSING,
    MARKET_PREMATCH,
    NO_ODDS,
    WITH_ODDS,
    ForecasterParameters,
)
from touchline.forecasting.walk_forward import probabilities_of, walk_forward
from touchline.registry.parameters import with_values

WITHOUT = "without"
SIDE = "(home|away)"
RATED = r"(elo|pi)(_shots)?|(attack|defence|level|home_advantage)_\w+|(goal_)?surprise_at_venue"
# One tree that says nothing: LightGBM wants at least one.
NO_TREES = {"no_odds.trees.rounds": 1, "no_odds.trees.learning_rate": 1e-9}
NO_MOVEMENT = {"with_odds.movement.fewest_moves": 10**9}
NO_RESIDUAL_TREES = {"with_odds.residual.share": 0.0}


@dataclass(frozen=True)
class Part:
    """What is left out: features whose names match `features` become unknown, and `values` replace parameters."""

    name: str
    features: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


PARTS: Mapping[str, Sequence[Part]] = {
    NO_ODDS: (
        Part("trees that go on from the line", values=NO_TREES),
        Part("Elo and pi-ratings", f"{SIDE}_(elo|pi)(_shots)?"),
        Part("attack and defence, all speeds", rf"{SIDE}_(attack|defence)_\w+"),
        Part("attack and defence but for one speed", rf"{SIDE}_(attack|defence)_(?!medium)\w+"),
        Part("strengths on chances", rf"{SIDE}_(attack|defence|level|home_advantage)_chances\w*"),
        Part("form", rf"{SIDE}_(form_\w+|(goal_)?surprise_at_venue)"),
        Part("corners and cards in form", rf"{SIDE}_form_(corners|yellow_cards|red_cards)_\w+"),
        Part("goals of the competition's last 300 matches", "competition_(home|away)_goals"),
        Part("matches of a team on record", f"{SIDE}_n_(rated|career)"),
        Part("meetings of the two sides", r"h2h_\w+"),
        Part("table, stake and promotion", rf"{SIDE}_(position|points_(per|behind|above)_\w+|tier_change)"),
        Part("rest, congestion, calendar", f"{SIDE}_(rest_days|n_matches_14d)|season_progress|month|weekday"),
    ),
    WITH_ODDS: (
        Part("expected movement, and trees on outcomes", values={**NO_MOVEMENT, **NO_RESIDUAL_TREES}),
        Part("expected movement", values=NO_MOVEMENT),
        Part("trees on outcomes", values=NO_RESIDUAL_TREES),
        Part("how prices moved before earlier matches", rf"{SIDE}_(draw_)?move_\w+"),
        Part("ratings from closing prices", rf"{SIDE}_market_\w+"),
        Part("prices of single bookmakers", r"market_(pinnacle|b365|maximum)_\w+"),
        Part("ratings and form from results", rf"{SIDE}_({RATED}|form_\w+)"),
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables as Markdown, and write them between their marks of a document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, help="document whose tables are written anew")
    options = parser.parse_args([] if arguments is None else arguments)
    if absent := missing():
        print(f"frontier: skipped, {absent} is not there; set TOUCHLINE_SHARED_DATA")
        return
    matches = played_seasons()
    text = "\n\n".join(_table(matches, forecast) for forecast in PARTS)
    print(text)
    if options.markdown is not None:
        replace_section(options.markdown, "frontier", text)


def without(matches: pd.DataFrame, part: Part) -> pd.DataFrame:
    """A training frame in which the features of a part are unknown. Raises ValueError when it names none of them."""
    if not part.features:
        return matches
    gone = [name for name in matches.columns if re.fullmatch(part.features, name)]
    if not gone:
        raise ValueError(f"no feature matches {part.features}, the pattern of {part.name!r}")
    return matches.assign(**dict.fromkeys(gone, np.nan))


def _table(matches: pd.DataFrame, forecast: str) -> str:
    """Of one forecast: it with everything, then without each part."""
    base = ForecasterParameters()
    everything = _forecast(matches, forecast, base, with_markets=True)
    rows = []
    for part in track(PARTS[forecast], f"{forecast} without a part", transient=True):
        said = _forecast(without(matches, part), forecast, with_values(base, part.values))
        together = Played(everything.frame, {**everything.said, WITHOUT: said.said[forecast]}).covered()
        rows.append(_row(part.name, together, forecast))
    whole = everything.covered()
    told = [f"with all of them log loss {whole.mean(forecast):.5f}", f"RPS {whole.mean(forecast, rps):.5f}"]
    if forecast == WITH_ODDS:
        told.append(f"{whole.gap_closed()[0]:.3f} of the gap to the close is closed")
    title = f"**{forecast} without a part of it** ({len(whole.frame):,} matches; {', '.join(told)})"
    headings = ["left out", "log loss more than with it", "RPS more than with it"]
    if forecast == WITH_ODDS:
        headings.append("share of the gap closed without it")
    return f"{title}\n\n{markdown_table(headings, rows)}"


def _row(name: str, played: Played, forecast: str) -> list[str]:
    lost = [interval(played.difference(WITHOUT, forecast, loss)) for loss in (log_loss, rps)]
    share = [f"{played.gap_closed(WITHOUT)[0]:.3f}"] if forecast == WITH_ODDS else []
    return [name, *lost, *share]


def _forecast(
    matches: pd.DataFrame, forecast: str, parameters: ForecasterParameters, *, with_markets: bool = False
) -> Played:
    names = (forecast, MARKET) if with_markets else (forecast,)
    predictions = walk_forward(matches, seasons_played(matches), parameters, names=names)
    shown = (forecast, MARKET_PREMATCH, MARKET_CLOSING) if with_markets else (forecast,)
    said: dict[str, Floats] = {name: probabilities_of(predictions, name) for name in shown}
    return Played(predictions, said)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
