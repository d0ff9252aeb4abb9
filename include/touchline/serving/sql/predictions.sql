-- one row per prediction ever made, as seen from the present
-- $1 present, $2 match, $3 competition, $4 from, $5 to (of the kick-off), $6 role, $7 forecast, $8 model version
select
    prediction_id, match_id, kickoff_at, competition, season, home_team, away_team,
    json_build_object('home', p_home, 'draw', p_draw, 'away', p_away) as probabilities,
    expected_home_goals, expected_away_goals, model_name, model_version, forecast, rests_on, role, predicted_at,
    is_simulated
from ledger.prediction
where predicted_at <= $1
    and ($2::uuid is null or match_id = $2)
    and ($3::text is null or competition = $3)
    and ($4::timestamptz is null or kickoff_at >= $4)
    and ($5::timestamptz is null or kickoff_at <= $5)
    and ($6::text is null or role = $6)
    and ($7::text is null or forecast = $7)
    and ($8::text is null or model_version = $8)
