select
    subject.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s %%s-%%s (%%s), but %%s says that it is %%s', home_team, away_team, home_goals, away_goals,
        fresh.source, subject.source, subject.status) as reason
from fresh_score as fresh
inner join subject using (fixture_key)
where subject.status in ('postponed', 'cancelled')
