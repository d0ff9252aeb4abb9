-- one row: the matches about which something has landed that core was not built with
-- Before the first build that is every match, and every price is of one of them: prices are not read then.
with pending as (
    select distinct payload_id, observed_at
    from landing.input
    where not exists (
        select from ops.seen_input as seen
        where seen.consumer = 'build_core' and seen.kind = input.kind and seen.input_id = input.input_id
    )
),

touched as (
    select fixture_key from landing.fixture_observation inner join pending using (payload_id)
    union
    select fixture_key from landing.score_observation inner join pending using (payload_id)
    union
    select odds.fixture_key from landing.odds_observation as odds inner join pending using (payload_id)
    where odds.observed_at between (select min(observed_at) from pending) and (select max(observed_at) from pending)
        and exists (select from ops.seen_input where consumer = 'build_core')
),

matches as (
    select distinct on (fixture_key) competition, kickoff_on
    from landing.fixture_observation inner join touched using (fixture_key)
    order by fixture_key, payload_id desc
)

select
    coalesce(array_agg(distinct competition order by competition), '{}') as competitions,
    min(kickoff_on) as first_match_on, max(kickoff_on) as last_match_on, count(*) as n_matches
from matches
