"""Our forecasts beside others' on the same matches: penaltyblog's models, FiveThirtyEight's SPI, the markets.

`make peers` installs penaltyblog and runs this. Ours are those of the walk-forward: models fitted before each season on
all divisions. Times are processor seconds, so that other work on the machine counts for nobody.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from benchmarks import penaltyblog_forecasts as penaltyblog
from benchmarks.comparison import Comparison, Cost, compare, replace_section
from benchmarks.played_seasons import played_seasons
from benchmarks.real_seasons import archive
from benchmarks.spi import spi_forecasts, spi_path
from touchline.forecasting.design import ModelInput
from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import OUTCOMES
from touchline.forecasting.specs import (
    LAST_PRICE,
    MARKET,
    MARKET_CLOSING,
    MARKET_CLOSING_PINNACLE,
    MARKET_PREMATCH,
    NO_ODDS,
    WITH_ODDS,
    ForecasterParameters,
    fitted,
    fitters,
)
from touchline.forecasting.walk_forward import probabilities_of, walk_forward

COMPETITIONS = "E0,E1,D1,I1,SP1,F1"
SEASONS = "2019/20,2020/21,2021/22,2022/23"
MARKETS = (MARKET_PREMATCH, MARKET_CLOSING, MARKET_CLOSING_PINNACLE)
SPI = "spi"
Forecasts = dict[str, Floats]


@dataclass(frozen=True)
class Asked:
    """Which matches are compared, and where they come from."""

    competitions: Sequence[str]
    seasons: Sequence[str]
    frame: Path | None


def main() -> None:
    """Print both comparisons, and write them as Markdown where asked to."""
    asked, markdown = _arguments()
    console = Console(width=150)
    missing = [path for path in (spi_path(), asked.frame or archive()) if not path.exists()]
    if missing:
        console.print(f"peers: skipped, there is no real data at {missing[0]}")
        return
    if not penaltyblog.load():
        console.print(f"peers: skipped, penaltyblog is not in {penaltyblog.FOLDER}; `make peers` installs it")
        return
    matches = penaltyblog.with_countries(_matches(asked))
    predictions = walk_forward(matches, asked.seasons, ForecasterParameters())
    comparisons = compare_with_peers(matches, predictions, asked, _our_costs(matches, max(asked.seasons)))
    for comparison in comparisons:
        for table in comparison.tables():
            console.print(table)
    if markdown is not None:
        replace_section(markdown, "peers", "\n\n".join(comparison.markdown() for comparison in comparisons))


def compare_with_peers(
    matches: pd.DataFrame, predictions: pd.DataFrame, asked: Asked, costs: Mapping[str, Cost]
) -> list[Comparison]:
    """With every peer on the asked competitions, then with SPI and the markets on all that SPI forecast.

    `matches` is a training frame with countries, `predictions` what `walk_forward` made of it, and `costs` what our
    forecasts cost, by name.
    """
    spi = predictions[["match_id"]].merge(spi_forecasts(matches), on="match_id", how="left")
    columns = predictions.filter(regex="^p_.*_home$").columns
    names = [name.removeprefix("p_").removesuffix("_home") for name in columns]
    said = {name: probabilities_of(predictions, name) for name in names}
    said[SPI] = spi[[f"p_{outcome}" for outcome in OUTCOMES]].to_numpy(dtype=np.float64)
    is_common = np.all([np.isfinite(p).all(axis=1) for p in said.values()], axis=0)
    of_competitions = predictions["competition"].isin(asked.competitions).to_numpy()
    is_asked = is_common & of_competitions
    peers, peers_costs = _ask_penaltyblog(matches, predictions[is_asked])
    with_peers = {name: p[is_asked] for name, p in said.items()} | peers
    everywhere = {name: p[is_common] for name, p in said.items()}
    return [
        _compare(
            "every peer", predictions[is_asked], of_competitions.sum(), with_peers, {**costs, **peers_costs}
        ),
        _compare("all that SPI forecast", predictions[is_common], len(predictions), everywhere, costs),
    ]


def _compare(
    what: str, rows: pd.DataFrame, n_played: int, said: Forecasts, costs: Mapping[str, Cost]
) -> Comparison:
    seasons = sorted(rows["season"].unique())
    title = f"{what}: {rows['competition'].nunique()} competitions, {seasons[0]} to {seasons[-1]}"
    theirs = [name for name in said if name not in (*fitted(), *MARKETS)]
    pairs = [
        *((NO_ODDS, name) for name in (*theirs, MARKET_PREMATCH)),
        *((WITH_ODDS, name) for name in (SPI, MARKET_PREMATCH)),
        *((LAST_PRICE, name) for name in (MARKET_CLOSING, MARKET_CLOSING_PINNACLE)),
    ]
    outcomes = rows["outcome"].to_numpy(dtype=np.int64)
    return compare(title, n_played, outcomes, rows["kickoff_at"].dt.date.to_numpy(), said, pairs, costs)


def _ask_penaltyblog(matches: pd.DataFrame, wanted: pd.DataFrame) -> tuple[Forecasts, dict[str, Cost]]:
    """Every forecast of penaltyblog for the matches of `wanted`, in that order."""
    order = pd.Index(wanted["match_id"])
    rows = matches[matches["match_id"].isin(order)]
    countries = matches[matches["country"].isin(rows["country"].unique())]
    elo, elo_fitted = penaltyblog.rated(countries, rows, penaltyblog.elo())
    pi, pi_fitted = penaltyblog.rated(countries, rows, penaltyblog.pi_ratings())
    decay = penaltyblog.best_decay(countries, rows)
    found = {
        f"penaltyblog Dixon-Coles, {decay} a day": penaltyblog.dixon_coles(countries, rows, decay),
        "penaltyblog pi, its probabilities": pi,
        "penaltyblog pi, logistic": pi_fitted,
        "penaltyblog Elo, its probabilities": elo,
        "penaltyblog Elo, logistic": elo_fitted,
    }
    at = pd.Index(rows["match_id"]).get_indexer(order)
    n_seasons = rows["season"].nunique()
    return (
        {name: peer.probabilities[at] for name, peer in found.items()},
        {
            name: Cost(peer.fit_seconds / n_seasons, 1000 * peer.predict_seconds / len(rows))
            for name, peer in found.items()
        },
    )


def _our_costs(matches: pd.DataFrame, season: str) -> dict[str, Cost]:
    """Of each of our forecasts on its own, of all divisions; designs are made within the time of each."""
    tested = matches[matches["season"] == season]
    known = matches[matches["kickoff_at"] < tested["kickoff_at"].min()]
    costs = {}
    models = [name for name in fitted() if name != MARKET]
    for name, fit in fitters(ForecasterParameters(), models).items():
        began = time.process_time()
        candidate = fit(ModelInput(known))
        done = time.process_time()
        candidate.probabilities(ModelInput(tested))
        costs[name] = Cost(done - began, 1000 * (time.process_time() - done) / len(tested))
    return costs


def _matches(asked: Asked) -> pd.DataFrame:
    """The training frame of all divisions, built from the season files unless there is one."""
    if asked.frame is not None:
        return pd.read_parquet(asked.frame)
    first, last = (int(season[:4]) for season in (min(asked.seasons), max(asked.seasons)))
    # Some seasons of 2020 ended in August.
    return played_seasons(date(first, 7, 1), date(last + 1, 8, 31))


def _arguments() -> tuple[Asked, Path | None]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--competitions", default=COMPETITIONS, help="codes for the comparison with every peer"
    )
    parser.add_argument("--seasons", default=SEASONS, help="seasons that are forecast")
    parser.add_argument("--frame", type=Path, help="a training frame (parquet), instead of building one")
    parser.add_argument("--markdown", type=Path, help="document whose tables are written anew")
    given = parser.parse_args()
    return Asked(given.competitions.split(","), given.seasons.split(","), given.frame), given.markdown


if __name__ == "__main__":
    main()
