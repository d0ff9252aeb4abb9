"""What football looks like in numbers, of real season files and of the simulated world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import poisson

from touchline.sandbox.world import SandboxWorld

Floats = npt.NDArray[np.float64]

COMPETITIONS = (
    "E0", "E1", "E2", "E3", "EC", "SC0", "SC1", "SC2", "SC3", "D1", "D2", "I1", "I2", "SP1", "SP2", "F1", "F2", "N1",
    "B1", "P1", "T1", "G1",
)  # fmt: skip
TOP_FIVE = ("E0", "D1", "I1", "SP1", "F1")
# Since 2019/20 the files have closing averages.
REAL_SEASONS = ("1920", "2021", "2122", "2223")
SIMULATED_SEASONS = range(2019, 2026)
RESULT_PRICES = tuple(f"Avg{stage}{outcome}" for stage in ("", "C") for outcome in "HDA")
COLUMNS = ("FTHG", "FTAG", *RESULT_PRICES, "Avg>2.5", "Avg<2.5")
# Decimals that are shown, by what is measured.
MEASURES = {
    "goals a match": 2,
    "goals of the home side minus the away side's": 2,
    "home wins": 3,
    "draws": 3,
    "matches with six goals or more": 3,
    "most goals in a match": 0,
    "overround of the average prices, 1X2": 3,
    "overround of the average prices, over and under 2.5": 3,
    "price of the favourite: 1 % are below": 2,
    "price of the favourite: 5 % are below": 2,
    "price of the favourite: median": 2,
    "price of the draw: median": 2,
    "price of over 2.5: 1 % are below": 2,
    "price of over 2.5: median": 2,
    "price of over 2.5: 1 % are above": 2,
    "goals expected by that price: 1 % are below": 2,
    "goals expected by that price: median": 2,
    "goals expected by that price: most": 2,
    "log loss of the average pre-match price": 3,
    "log loss of the average closing price": 3,
    "log movement of the home price to the close, standard deviation": 3,
}


def real_matches(folder: Path, competition: str) -> pl.DataFrame:
    """Played matches of the last four real seasons of a competition, with the columns `COLUMNS` as numbers."""
    files = (
        pl.read_csv(path, encoding="latin1", infer_schema_length=0, truncate_ragged_lines=True)
        for path in (folder / season / f"{competition}.csv" for season in REAL_SEASONS)
    )
    played = pl.concat(
        file.select(pl.col(COLUMNS).str.strip_chars().cast(pl.Float64, strict=False)) for file in files
    )
    return played.filter(pl.col("FTHG").is_not_null())


def simulated_matches(seed: int) -> pl.DataFrame:
    """All matches of a simulated world's first seven seasons, with the same columns and `Div`."""
    world = SandboxWorld(seed)
    seasons = (world.season(year) for year in SIMULATED_SEASONS)
    return pl.concat(
        season.select("Div", pl.col(COLUMNS).cast(pl.Float64)) for season in seasons if season is not None
    )


def measure(matches: pl.DataFrame) -> dict[str, float]:
    """`MEASURES` of matches with the columns `COLUMNS`; prices and what follows from them where there are any."""
    home, away = (matches[name].to_numpy() for name in ("FTHG", "FTAG"))
    goals = home + away
    outcome = np.where(home > away, 0, np.where(home == away, 1, 2))
    early, closing = (matches.select(f"Avg{stage}{x}" for x in "HDA").to_numpy() for stage in ("", "C"))
    over, under = matches.select("Avg>2.5", "Avg<2.5").drop_nulls().to_numpy().T
    favourite = (
        matches.select(pl.min_horizontal(f"Avg{x}" for x in "HDA")).to_series().drop_nulls().to_numpy()
    )
    expected = _expected_goals(over, under)
    values = (
        goals.mean(), (home - away).mean(), (outcome == 0).mean(), (outcome == 1).mean(), (goals >= 6).mean(),
        goals.max(), np.nanmean((1 / early).sum(axis=1)), (1 / over + 1 / under).mean(),
        *np.percentile(favourite, (1, 5, 50)), np.nanmedian(early[:, 1]),
        *np.percentile(over, (1, 50, 99)), *np.percentile(expected, (1, 50, 100)),
        _log_loss(early, outcome), _log_loss(closing, outcome), np.nanstd(np.log(closing[:, 0] / early[:, 0])),
    )  # fmt: skip
    return {name: float(value) for name, value in zip(MEASURES, values, strict=True)}


def bounds(of_competitions: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """The lowest and the highest of each measure, rounded as shown."""
    return {
        name: (
            round(min(each[name] for each in of_competitions), digits),
            round(max(each[name] for each in of_competitions), digits),
        )
        for name, digits in MEASURES.items()
    }


def _expected_goals(over: Floats, under: Floats) -> Floats:
    """Mean of the Poisson distribution of goals that gives over 2.5 the probability of these prices."""
    means = np.linspace(0.5, 9, 4000)
    return np.interp((1 / over) / (1 / over + 1 / under), poisson.sf(2, means), means)


def _log_loss(prices: Floats, outcome: npt.NDArray[np.int64]) -> float:
    p = (1 / prices) / (1 / prices).sum(axis=1, keepdims=True)
    return float(-np.nanmean(np.log(p[np.arange(len(p)), outcome])))
