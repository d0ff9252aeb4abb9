select
    subject.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s has the result %%s-%%s, but kicks off at %%s UTC', home_team, away_team, home_goals, away_goals,
        to_char(kickoff_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) as reason
from fresh_score as fresh
inner join subject using (fixture_key)
where fresh.observed_at < subject.kickoff_at
