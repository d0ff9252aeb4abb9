"""The API's SQL, and from rows to replies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from touchline.serving import schemas

UPCOMING = """
select prediction.*, fixture.best_price_home, fixture.best_price_draw, fixture.best_price_away,
    count(*) over () as total
from (
    select distinct on (match_id, forecast) *
    from ledger.prediction
    where role = $1
    order by match_id, forecast, predicted_at desc, prediction_id desc
) as prediction
inner join lateral (
    select
        max(odds.price_home) as best_price_home, max(odds.price_draw) as best_price_draw,
        max(odds.price_away) as best_price_away
    from core.match as match
    left join core.match_odds as odds
        on odds.match_id = match.match_id and odds.market = '1x2' and odds.stage = 'prematch'
        and odds.bookmaker <> 'consensus'
    where match.match_id = prediction.match_id and not match.is_played and match.status = 'scheduled'
    group by match.match_id
) as fixture on true
where prediction.kickoff_at > $2 and ($3::timestamptz is null or prediction.kickoff_at <= $3)
    and ($4::text is null or prediction.competition = $4)
order by prediction.kickoff_at, prediction.competition, prediction.home_team, prediction.forecast
limit $5 offset $6
"""

PREDICTION = "select * from ledger.prediction where prediction_id = $1"

OUTCOME = """
select * from ledger.prediction_outcome where prediction_id = $1 order by revision desc limit 1
"""

MATCH = """
select match.*, result.home_goals, result.away_goals, result.outcome, result.known_at as result_known_at
from core.match as match
left join core.match_result as result using (match_id)
where match_id = $1
"""

QUOTES = """
select bookmaker, stage, price_home, price_draw, price_away, overround, quoted_at
from core.match_odds where match_id = $1 and market = '1x2' order by stage desc, bookmaker
"""

MATCH_PREDICTIONS = """
select * from ledger.prediction where match_id = $1 order by predicted_at desc, role, forecast
"""

MODELS = """
select made.*, board.n as n_settled, board.rps, board.log_loss, board.accuracy, board.log_loss_behind_closing
from (
    select model_name, model_version, forecast, role, is_simulated, count(*) as n_predictions,
        max(predicted_at) as last_predicted_at
    from ledger.prediction
    group by model_name, model_version, forecast, role, is_simulated
) as made
left join analytics.model_leaderboard as board using (model_name, model_version, forecast, role, is_simulated)
order by made.last_predicted_at desc, made.model_version desc, made.role, made.forecast
"""

STATE = """
select
    (select version_num from public.alembic_version) as revision,
    to_regclass('analytics.upcoming_predictions') is not null as is_built,
    (select is_simulated from ops.world) as is_simulated,
    (select max(predicted_at) from ledger.prediction) as last_predicted_at,
    (select max(finished_at) from ops.pipeline_run where status = 'success') as last_step_at
"""


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns every prediction has."""
    names = schemas.PredictionSummary.model_fields.keys() - {"probabilities"}
    return {name: row[name] for name in names} | {
        "probabilities": {"home": row["p_home"], "draw": row["p_draw"], "away": row["p_away"]}
    }


def upcoming(row: Mapping[str, Any]) -> schemas.UpcomingPrediction:
    """A prediction with fair and best prices."""
    sides = ("home", "draw", "away")
    fair = {side: 1 / row[f"p_{side}"] if row[f"p_{side}"] else None for side in sides}
    return schemas.UpcomingPrediction(
        **summary(row),
        fair_prices=schemas.Prices(**fair),
        best_prices=schemas.Prices(**{side: row[f"best_price_{side}"] for side in sides}),
    )


def prediction(row: Mapping[str, Any], outcome: Mapping[str, Any] | None) -> schemas.Prediction:
    """A prediction with its features, grid and outcome."""
    names = ("features_as_of", "feature_store", "scoreline_grid")
    return schemas.Prediction(
        **summary(row),
        **{name: row[name] for name in names},
        features=json.loads(row["features"]),
        outcome=None if outcome is None else _outcome(outcome),
    )


def match(
    row: Mapping[str, Any], quotes: list[Mapping[str, Any]], predictions: list[Mapping[str, Any]]
) -> schemas.Match:
    """A match with all that belongs to it."""
    result = None
    if row["outcome"] is not None:
        result = schemas.Result(
            home_goals=row["home_goals"],
            away_goals=row["away_goals"],
            outcome=row["outcome"],
            known_at=row["result_known_at"],
        )
    names = schemas.Match.model_fields.keys() - {"result", "quotes", "predictions"}
    return schemas.Match(
        **{name: row[name] for name in names},
        result=result,
        quotes=[_quote(quote) for quote in quotes],
        predictions=[schemas.PredictionSummary(**summary(item)) for item in predictions],
    )


def _quote(row: Mapping[str, Any]) -> schemas.Quote:
    prices = schemas.Prices(home=row["price_home"], draw=row["price_draw"], away=row["price_away"])
    names = ("bookmaker", "stage", "overround", "quoted_at")
    return schemas.Quote(prices=prices, **{name: row[name] for name in names})


def _outcome(row: Mapping[str, Any]) -> schemas.Outcome:
    closing = None
    if row["p_closing_home"] is not None:
        closing = schemas.Probabilities(
            home=row["p_closing_home"], draw=row["p_closing_draw"], away=row["p_closing_away"]
        )
    names = schemas.Outcome.model_fields.keys() - {"closing_probabilities"}
    return schemas.Outcome(closing_probabilities=closing, **{name: row[name] for name in names})
