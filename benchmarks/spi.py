"""FiveThirtyEight's SPI forecasts, made before kick-off, for the matches of a training frame.

Names are linked as in production, by the names themselves and by the schedules; scores are never looked at.
SPI covers 18 of the 22 divisions, five of them from 2016/17 and all from 2018/19. The file lacks what was forecast
from July 2019 to August 2020, but for Italy's second division and Greece, and two months of spring 2021.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.identity import COMPETITIONS
from touchline.identity.competitions import competitions
from touchline.identity.matching import Names, match
from touchline.identity.schedule import TOLERANCE, ScheduledMatch
from touchline.settings import PROJECT_ROOT

PROBABILITIES = {"prob1": "p_home", "probtie": "p_draw", "prob2": "p_away"}
SIDES = ["home_team", "away_team"]
# Months before this one belong to the season that began the year before.
FIRST_MONTH = 7


def spi_path() -> Path:
    """Where the forecasts are kept."""
    shared = Path(os.environ.get("TOUCHLINE_SHARED_DATA", PROJECT_ROOT.parent / "shared" / "data"))
    return shared / "spi_matches_2016_2023.parquet"


def spi_forecasts(matches: pd.DataFrame, path: Path | None = None) -> pd.DataFrame:
    """SPI's probabilities of those of `matches` that it forecast.

    `matches` has match_id, competition, season ("2019/20"), kickoff_at (UTC), home_team and away_team, and should
    hold whole seasons, because schedules help to link names. Returns match_id, p_home, p_draw and p_away (summing
    to one), one row a linked match. Raises FileNotFoundError when there is no file.
    """
    said = _read_spi(path or spi_path())
    ours = matches[["match_id", "competition", "season", "kickoff_at", *SIDES]].copy()
    ours["year"] = ours["season"].str[:4].astype("int64")
    ours["day"] = ours["kickoff_at"].dt.tz_convert(None).dt.normalize()
    ours["country"] = ours["competition"].map({code: item.country for code, item in competitions().items()})
    linked = [
        _link(theirs, played, _elsewhere(ours, played))
        for key, theirs in said.groupby(["competition", "year"])
        if len(played := ours[(ours["competition"] == key[0]) & (ours["year"] == key[1])])
    ]
    found = pd.concat(linked) if linked else pd.DataFrame(columns=["match_id", *PROBABILITIES.values()])
    return found.sort_values("match_id", ignore_index=True)


def _read_spi(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    frame = frame[frame["league_id"].isin(list(COMPETITIONS))]
    day = pd.to_datetime(frame["date"])
    # The older files give no season. None of those seasons ended later than June.
    began = day.dt.year - (day.dt.month < FIRST_MONTH)
    probabilities = frame[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    said = pd.DataFrame(
        {
            "competition": frame["league_id"].map(COMPETITIONS),
            "year": frame["season"].fillna(began).astype("int64"),
            "day": day,
            "home_team": frame["team1"],
            "away_team": frame["team2"],
        }
    )
    said[list(PROBABILITIES.values())] = probabilities / probabilities.sum(axis=1, keepdims=True)
    return said


def _elsewhere(matches: pd.DataFrame, played: pd.DataFrame) -> frozenset[str]:
    """Teams of the same country, this season and the one before, that `played` does not hold."""
    country, year = played["country"].iloc[0], played["year"].iloc[0]
    near = matches[(matches["country"] == country) & matches["year"].isin([year - 1, year])]
    return frozenset(_teams(near)) - frozenset(_teams(played))


def _link(said: pd.DataFrame, played: pd.DataFrame, elsewhere: frozenset[str]) -> pd.DataFrame:
    """The forecasts of one competition and season that mean a match of `played`."""
    names = Names(frozenset(_teams(played)), elsewhere, schedule=_schedule(played))
    decisions = match(_teams(said), names, schedule=_schedule(said))
    meant = said.assign(
        **{side: said[side].map({alias: made.team for alias, made in decisions.items()}) for side in SIDES}
    )
    pairs = meant.dropna(subset=SIDES).merge(played, on=SIDES, suffixes=("_said", ""))
    pairs["apart"] = (pairs["day_said"] - pairs["day"]).abs()
    near = pairs[pairs["apart"] <= TOLERANCE].sort_values("apart")
    # Some divisions let the same teams meet twice at the same place.
    near = near.drop_duplicates("match_id").drop_duplicates([*SIDES, "day_said"])
    return near[["match_id", *PROBABILITIES.values()]]


def _teams(matches: pd.DataFrame) -> set[str]:
    return set(matches["home_team"]) | set(matches["away_team"])


def _schedule(matches: pd.DataFrame) -> frozenset[ScheduledMatch]:
    return frozenset(
        ScheduledMatch(day.date(), home, away)
        for day, home, away in zip(matches["day"], matches["home_team"], matches["away_team"], strict=True)
    )
