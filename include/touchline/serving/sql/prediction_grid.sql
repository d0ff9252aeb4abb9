-- one row per id that has a prediction: with its grid. $1 ids
select
    prediction_id as key,
    prediction_id, match_id, kickoff_at, competition, season, home_team, away_team, p_home, p_draw, p_away,
    expected_home_goals, expected_away_goals, model_name, model_version, forecast, rests_on, role, predicted_at, is_simulated,
    scoreline_grid
from ledger.prediction
where prediction_id = any($1::uuid[])
