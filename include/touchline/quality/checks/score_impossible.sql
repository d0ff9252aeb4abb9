select
    subject.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s %%s-%%s', home_team, away_team, home_goals, away_goals) as reason
from fresh_score as fresh
inner join subject using (fixture_key)
where greatest(home_goals, away_goals) > 15
