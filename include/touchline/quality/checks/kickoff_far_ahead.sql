select
    competition, fixture_key, payload_id,
    format('%%s - %%s is announced for %%s, %%s days ahead', home_team, away_team, kickoff_on,
        kickoff_on - observed_at::date) as reason
from fresh_fixture
where kickoff_at > observed_at + interval '400 days'
