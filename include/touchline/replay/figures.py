"""What came of a replay, in figures: its days, its skill against the market, and what happened in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import numpy as np
import pandas as pd

from touchline.database.engine import connect, rows
from touchline.database.queries import query
from touchline.forecasting.metrics import resample_matchdays
from touchline.forecasting.report.intervals import ratio
from touchline.forecasting.specs import MARKET
from touchline.replay.play import moments_played
from touchline.replay.season import Season
from touchline.settings import Settings

# What the champion is held against: the column of its log loss, by name.
REFERENCES: Final[Mapping[str, str]] = {
    "pre-match market": "market_log_loss",
    "closing market": "closing_log_loss",
}
HOLDS: Final = """
select hold.competition, hold.gate, hold.reason, hold.held_as_of, release.kind, release.released_as_of
from ops.competition_hold as hold left join ops.competition_release as release using (competition_hold_id)
where hold.held_as_of >= %s order by hold.held_as_of, competition_hold_id
"""
PREDICTED: Final = """
select count(*) as n, count(distinct match_id) as n_matches from ledger.prediction where model_name = %s
"""


def replay_figures(settings: Settings, season: Season) -> dict[str, Any]:
    """The JSON object of `touchline replay --json`, from what the replay's database has recorded.

    Log loss saved is the market's less the champion's, in nats a match: above zero the champion is better. Its 95 %
    intervals are of a bootstrap over matchdays, of all matches settled until then.
    """
    moments = moments_played(settings)
    with connect(settings, "model") as connection:
        given = {"model_name": settings.model_name, "market": MARKET}
        settled = pd.DataFrame(rows(connection, query("replay/sql/last_words"), given))
        holds = rows(connection, HOLDS, (season.begins_at,))
        (predicted,) = rows(connection, PREDICTED, (settings.model_name,))
    trainings = _first_of_each_version(_dated(moments, "trainings"))
    return {
        "season": season.label,
        "competitions": list(season.competitions),
        "from": season.first_on.isoformat(),
        "to": season.last_on.isoformat(),
        "train_every_days": season.request.train_every,
        "history_seasons": season.request.history_seasons,
        "injected": [each.text for each in season.request.injections],
        "database": settings.warehouse_database,
        "model_name": settings.model_name,
        "pace": _pace(moments),
        "predictions": predicted["n"],
        "matches_predicted": predicted["n_matches"],
        "matches_settled": len(settled),
        "skill": {name: _saved(settled, column, settings.random_seed) for name, column in REFERENCES.items()},
        "trainings": trainings,
        "promotions": [each for each in trainings if each["state"] == "promoted"],
        "alarms": _dated(moments, "alarms"),
        "holds": [
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in hold.items()
            }
            for hold in holds
        ],
        "incidents": _dated(moments, "incidents"),
        "days": _days(moments, settled, trainings, settings.random_seed),
    }


def _pace(moments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How fast it went: the first moment, which collects and learns the past, is by itself."""
    seconds: Counter[str] = Counter()
    for moment in moments[1:]:
        seconds.update(moment["seconds"])
    days = {moment["as_of"].date() for moment in moments[1:]}
    wall = sum(moment["wall_seconds"] for moment in moments[1:])
    return {
        "days": len(days),
        "moments": len(moments),
        "seconds_of_the_first": moments[0]["wall_seconds"] if moments else 0.0,
        "seconds": wall,
        "days_a_minute": 60 * len(days) / wall if wall else None,
        "seconds_by_step": dict(seconds.most_common()),
    }


def _dated(moments: Sequence[Mapping[str, Any]], what: str) -> list[dict[str, Any]]:
    return [{"as_of": moment["as_of"].isoformat(), **each} for moment in moments for each in moment[what]]


def _first_of_each_version(trainings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Training on the same matches again gives the same version, which is none of its own."""
    found: dict[str, dict[str, Any]] = {}
    for each in trainings:
        found.setdefault(each["version"], each)
    return list(found.values())


def _days(
    moments: Sequence[Mapping[str, Any]],
    settled: pd.DataFrame,
    trainings: Sequence[Mapping[str, Any]],
    seed: int,
) -> list[dict[str, Any]]:
    played = {day: list(each) for day, each in groupby(moments, lambda moment: moment["as_of"].date())}
    kicked_off = settled["kickoff_at"].dt.date if len(settled) else pd.Series(dtype="object")
    days = []
    for day, of_day in played.items():
        until, on = settled[kicked_off <= day], settled[kicked_off == day]
        days.append(
            {
                "on": day.isoformat(),
                "moments": len(of_day),
                "predictions": sum(each["n_predictions"] for each in of_day),
                "settled": sum(each["n_settled"] for each in of_day),
                "trainings": sum(each["as_of"].startswith(day.isoformat()) for each in trainings),
                "alarms": sum(len(each["alarms"]) for each in of_day),
                "incidents": sum(len(each["incidents"]) for each in of_day),
                "seconds": sum(each["wall_seconds"] for each in of_day),
                "matches": len(on),
                "saved": {name: _mean_saved(on, column) for name, column in REFERENCES.items()},
                "saved_until_then": {
                    name: _saved(until, column, seed) if len(on) else None
                    for name, column in REFERENCES.items()
                },
            }
        )
    return days


def _mean_saved(matches: pd.DataFrame, column: str) -> float | None:
    if matches.empty:
        return None
    saved = (matches[column] - matches["log_loss"]).dropna()
    return float(saved.mean()) if len(saved) else None


def _saved(matches: pd.DataFrame, column: str, seed: int) -> dict[str, Any] | None:
    """Log loss saved a match with its interval; None without a match, and no interval from a single day."""
    known = matches[matches[column].notna()] if len(matches) else matches
    if known.empty:
        return None
    saved = (known[column] - known["log_loss"]).to_numpy(dtype=np.float64)
    days = known["kickoff_at"].dt.date.to_numpy()
    found = ratio(saved, np.ones(len(saved)), resample_matchdays(days, seed))
    has_interval = len(set(days)) > 1
    return {
        "n": len(saved),
        "value": found.value,
        "low": found.low if has_interval else None,
        "high": found.high if has_interval else None,
    }
