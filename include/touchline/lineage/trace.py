"""What a prediction was made of: model, features, matches, prices, and the payloads they were read from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from touchline.database.engine import Connection, connect, rows
from touchline.errors import PredictionUnknown
from touchline.settings import Settings

# As many as the longest form feature looks back on.
MATCHES_PER_TEAM = 20

FIND = (
    "select * from ledger.prediction where prediction_id::text like %s || '%%' order by prediction_id limit 2"
)

# Results known when the features were made, of either team, latest first.
MATCHES = """
select
    match.match_id::text as match_id, match.kickoff_at, match.competition, match.home_team, match.away_team,
    result.home_goals, result.away_goals, observed.known_at, observed.payload_id, observed.row_number
from core.match as target
inner join core.match as match
    on %(side)s = 'home' and target.home_team_id in (match.home_team_id, match.away_team_id)
    or %(side)s = 'away' and target.away_team_id in (match.home_team_id, match.away_team_id)
inner join core.match_result as result on result.match_id = match.match_id
inner join lateral (
    select payload_id, row_number, known_at from landing.score_observation
    where fixture_key = match.match_id and known_at <= %(features_as_of)s
    order by known_at desc, observed_at desc, payload_id desc limit 1
) as observed on true
where target.match_id = %(match_id)s and match.kickoff_at < target.kickoff_at
order by match.kickoff_at desc
limit %(limit)s
"""

QUOTES = """
select distinct on (bookmaker, market, line)
    bookmaker, market, line, price_home, price_draw, price_away, price_over, price_under, quoted_at, known_at,
    payload_id, row_number
from landing.odds_observation
where fixture_key = %(match_id)s and not is_closing and known_at <= %(features_as_of)s
order by bookmaker, market, line, known_at desc, observed_at desc, payload_id desc
"""

FIXTURE = """
select payload_id, row_number, known_at from landing.fixture_observation
where fixture_key = %(match_id)s and known_at <= %(features_as_of)s
order by known_at desc, observed_at desc, payload_id desc limit 1
"""

PAYLOADS = """
select payload_id, source, endpoint, observed_at, is_backfill, encode(content_hash, 'hex') as content_hash, n_bytes
from landing.payload where payload_id = any(%s) order by payload_id
"""


@dataclass(frozen=True)
class LineageReport:
    """Everything behind one prediction. Rows of a payload count from 1, without its header."""

    prediction: dict[str, Any]
    features: dict[str, float | None]
    home_matches: list[dict[str, Any]]
    away_matches: list[dict[str, Any]]
    quotes: list[dict[str, Any]]
    fixture: dict[str, Any]
    payloads: list[dict[str, Any]]

    @property
    def summary(self) -> str:
        """One sentence."""
        return (
            f"Prediction {self.prediction['prediction_id']} rests on {len(self.home_matches)} + "
            f"{len(self.away_matches)} matches and {len(self.quotes)} quotes from {len(self.payloads)} payloads, "
            f"all known by {self.prediction['features_as_of']}."
        )


def trace(settings: Settings, prediction_id: str) -> LineageReport:
    """Follow a prediction back to payload bytes; any unique beginning of its id will do.

    Raises PredictionUnknown when no prediction, or more than one, begins like that.
    """
    with connect(settings, "model") as connection:
        found = rows(connection, FIND, (prediction_id.lower(),))
        if len(found) != 1:
            problem = "no prediction begins with" if not found else "more than one prediction begins with"
            raise PredictionUnknown(
                f"{problem} {prediction_id!r}; ids are in analytics.upcoming_predictions and ledger.prediction"
            )
        return _trace(connection, found[0])


def _trace(connection: Connection, prediction: dict[str, Any]) -> LineageReport:
    parameters = {
        "match_id": prediction["match_id"],
        "features_as_of": prediction["features_as_of"],
        "limit": MATCHES_PER_TEAM,
    }
    home, away = (rows(connection, MATCHES, {**parameters, "side": side}) for side in ("home", "away"))
    quotes = rows(connection, QUOTES, parameters)
    fixture = rows(connection, FIXTURE, parameters)
    payload_ids = sorted({row["payload_id"] for row in [*home, *away, *quotes, *fixture]})
    features = prediction.pop("features")
    prediction.pop("scoreline_grid")
    return LineageReport(
        prediction={name: _plain(value) for name, value in prediction.items()},
        features=features,
        home_matches=home,
        away_matches=away,
        quotes=quotes,
        fixture=fixture[0] if fixture else {},
        payloads=rows(connection, PAYLOADS, (payload_ids,)),
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, datetime)) else str(value)
