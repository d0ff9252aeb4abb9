-- one row per match of a list, as the sources named it: also matches that are not built yet have a name
select distinct on (fixture_key)
    fixture_key::text as match_id, competition, season, kickoff_at, home_team, away_team
from landing.fixture_observation
where fixture_key = any(%(match_ids)s::text[]::uuid[])
order by fixture_key, known_at desc, observed_at desc, payload_id desc
