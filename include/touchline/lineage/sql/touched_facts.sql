-- one row per match that a payload said something new of. Its quotes were observed when it was, so one month is read.
with facts as (
    select 'fixture' as kind, fixture_key, row_number, known_at
    from landing.fixture_observation
    where payload_id = %(payload_id)s
    union all
    select 'score', fixture_key, row_number, known_at
    from landing.score_observation
    where payload_id = %(payload_id)s
    union all
    select 'quote', fixture_key, row_number, known_at
    from landing.odds_observation
    where observed_at = %(observed_at)s and payload_id = %(payload_id)s
)

select
    fixture_key::text as match_id, bool_or(kind = 'fixture') as is_fixture, bool_or(kind = 'score') as is_score,
    count(*) filter (where kind = 'quote') as n_quotes, min(row_number) as row_number, min(known_at) as known_at
from facts
group by fixture_key
