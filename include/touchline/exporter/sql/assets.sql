-- one row per asset: as of when it was last made, and how old it may be. A collection is recorded as
-- collect_fixtures+odds/source. $1 present, $2 assets, $3 the step that makes each, $4 its promise
with recursive steps as (
    select min(step) as step from ops.pipeline_run
    union all
    select (select min(step) from ops.pipeline_run where step > steps.step) from steps where step is not null
),

last as (
    select
        case
            when steps.step like 'collect\_%' then 'collect_' || kind
            else steps.step
        end as step,
        success.as_of
    from steps
    cross join unnest(string_to_array(split_part(regexp_replace(steps.step, '^collect_', ''), '/', 1), '+')) as kinds (kind)
    cross join lateral (
        select as_of from ops.pipeline_run
        where step = steps.step and status = 'success' and as_of <= $1
        order by finished_at desc
        limit 1
    ) as success
)

select asset, max(last.as_of) as made, extract(epoch from promise) as promised
from unnest($2::text[], $3::text[], $4::interval[]) as promised (asset, step, promise)
left join last using (step)
group by asset, promise
order by asset
