-- one row per source and kind of facts: how many new ones have landed
with landed as (
    select
        payload.source, sum(parsed.n_fixtures) as n_fixtures, sum(parsed.n_scores) as n_scores,
        sum(parsed.n_quotes) as n_quotes
    from landing.payload_parsed as parsed
    inner join landing.payload as payload using (payload_id)
    group by payload.source
)

select source, kind, n_rows
from landed
cross join lateral (values ('fixtures', n_fixtures), ('scores', n_scores), ('odds', n_quotes)) as each (kind, n_rows)
order by source, kind
