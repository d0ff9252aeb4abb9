-- one row: whether more than a share of the known facts was learnt since the first of the changes, or is about changed
-- matches
with change as (
    select count(distinct match_id) as n_matches, min(known_from) as known_from from ops.match_change
    where change_id > %(built_change_id)s
),

size as (
    select oid::regclass::text as name, greatest(reltuples, 1000) * %(share)s as n from pg_class
    where oid in (to_regclass('core.match'), to_regclass('core.match_version'))
)

select (select n_matches from change) > (select n from size where name = 'core.match')
    or (
        select count(*) from (
            select from core.match_version
            where valid_from >= (select known_from from change)
            limit (select n::bigint + 1 from size where name = 'core.match_version')
        ) as learned_since
    ) > (select n from size where name = 'core.match_version')
