-- one row per kind of fact: when the newest of it became known, and as of when the warehouse stands
select kind, newest_at, freshness.as_of as built_as_of
from analytics.freshness as freshness
cross join lateral (
    values
        ('results', last_result_known_at), ('prices', last_price_known_at), ('predictions', last_predicted_at),
        ('outcomes', last_settled_at)
) as each (kind, newest_at)
