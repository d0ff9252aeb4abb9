-- one row per match that a champion has predicted: its latest prediction, as seen from the present. $1 matches, $2 present
select wanted.match_id as key, last_word.*
from unnest($1::uuid[]) as wanted (match_id)
cross join lateral (
    select
        prediction_id, match_id, kickoff_at, competition, season, home_team, away_team, p_home, p_draw, p_away,
        expected_home_goals, expected_away_goals, model_name, model_version, forecast, rests_on, role, predicted_at, is_simulated,
        scoreline_grid
    from ledger.prediction
    where prediction.match_id = wanted.match_id and role = 'champion' and predicted_at <= $2
    order by predicted_at desc, prediction_id desc
    limit 1
) as last_word
