-- one row per match: the last ones that the champion had predicted
select
    prediction_id, match_id, kickoff_at, competition, home_team, away_team, home_goals, away_goals, outcome,
    p_home, p_draw, p_away, log_loss, closing_log_loss
from analytics.settled_predictions
where role = 'champion'
order by kickoff_at desc, competition, home_team
limit 12
