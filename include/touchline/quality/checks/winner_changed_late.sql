select
    competition, fixture_key, payload_id,
    format('%%s - %%s %%s-%%s, and %%s-%%s before, %%s days after kick-off', home_team, away_team, home_goals, away_goals,
        home_goals_before, away_goals_before, extract(day from observed_at - kickoff_at)) as reason
from score_move
where sign(home_goals - away_goals) <> sign(home_goals_before - away_goals_before)
    and observed_at > kickoff_at + interval '3 days'
