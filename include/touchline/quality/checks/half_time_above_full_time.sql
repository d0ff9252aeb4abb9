select
    subject.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s %%s-%%s, at half-time %%s-%%s', home_team, away_team, home_goals, away_goals,
        home_goals_half_time, away_goals_half_time) as reason
from fresh_score as fresh
inner join subject using (fixture_key)
where home_goals_half_time > home_goals or away_goals_half_time > away_goals
