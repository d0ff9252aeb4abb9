-- one row per id that has a prediction: with its features, and how it was last settled. $1 ids
select
    prediction.prediction_id as key, prediction.prediction_id, prediction.match_id, prediction.kickoff_at,
    prediction.competition, prediction.season, prediction.home_team, prediction.away_team,
    json_build_object('home', p_home, 'draw', p_draw, 'away', p_away) as probabilities,
    prediction.expected_home_goals, prediction.expected_away_goals, prediction.model_name, prediction.model_version,
    prediction.forecast, prediction.rests_on, prediction.role, prediction.predicted_at, prediction.is_simulated,
    prediction.features_as_of, prediction.feature_store, prediction.feature_hash, prediction.features,
    prediction.scoreline_grid, prediction.clock, prediction.run_id, outcome.outcome
from ledger.prediction as prediction
left join lateral (
    select
        json_build_object(
            'home_goals', home_goals, 'away_goals', away_goals, 'outcome', outcome, 'rps', rps, 'log_loss', log_loss,
            'brier', brier, 'is_correct', is_correct,
            'closing_probabilities', case when p_closing_home is not null then
                json_build_object('home', p_closing_home, 'draw', p_closing_draw, 'away', p_closing_away) end,
            'closing_line_value', closing_line_value, 'settled_at', settled_at, 'revision', revision
        ) as outcome
    from ledger.prediction_outcome
    where prediction_outcome.prediction_id = prediction.prediction_id
    order by revision desc
    limit 1
) as outcome on true
where prediction.prediction_id = any($1::uuid[])
