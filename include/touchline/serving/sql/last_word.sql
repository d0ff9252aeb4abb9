-- at most one row: the champion's latest prediction of a match, as seen from the present. $1 match, $2 present
select
    prediction_id, match_id, kickoff_at, competition, season, home_team, away_team, p_home, p_draw, p_away,
    expected_home_goals, expected_away_goals, model_name, model_version, forecast, rests_on, role, predicted_at, is_simulated,
    scoreline_grid
from ledger.prediction
where match_id = $1 and role = 'champion' and predicted_at <= $2
order by predicted_at desc, prediction_id desc
limit 1
