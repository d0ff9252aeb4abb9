-- one row per prediction of a match, latest first. $1 match
select
    prediction_id, match_id, kickoff_at, competition, season, home_team, away_team, p_home, p_draw, p_away,
    expected_home_goals, expected_away_goals, model_name, model_version, forecast, rests_on, role, predicted_at, is_simulated
from ledger.prediction
where match_id = $1
order by predicted_at desc, role, forecast, prediction_id desc
