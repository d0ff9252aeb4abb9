-- one row a feature: predictions made on features as of an instant (UTC), and how many of them the same build made
-- later would have given another value
select
    feature.name,
    count(*) as n_predictions,
    count(*) filter (
        where not coalesce(
            abs(feature.used - feature.rebuilt) <= %(tolerance)s * greatest(1, abs(feature.used)),
            feature.used is null and feature.rebuilt is null
        )
    ) as n_differing
from ledger.prediction as prediction
inner join features.match_features as features on prediction.match_id = features.match_id
cross join lateral (
    select
        given.key as name,
        (given.value #>> '{}')::float8 as used,
        (to_jsonb(features) ->> given.key)::float8 as rebuilt
    from jsonb_each(prediction.features) as given (key, value)
    where to_jsonb(features) ? given.key
) as feature
where prediction.features_as_of = %(features_as_of)s and features.features_as_of = %(features_as_of)s
group by feature.name
order by n_differing desc, feature.name
