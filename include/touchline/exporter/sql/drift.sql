-- one row per metric, and per subject of confident picks: what the last measurement said; and one more: when that was.
-- Evidence restarts with a champion that was trained after an alarm: what the last measurement had too few of its matches
-- to judge is no alarm any more. Features are compared once a week. $1 present
with known as (
    select metric, subject, value, threshold, is_drift, as_of, max(as_of) over (partition by metric) as last_as_of
    from ops.drift_metric
    where as_of <= $1
)

select
    metric, case metric when 'confident_picks' then subject else '' end as subject,
    count(*) filter (where is_drift) as n_alarms, max(value / nullif(threshold, 0)) as evidence_ratio,
    null::timestamptz as measured
from known
where as_of = last_as_of and (metric = 'feature_drift' or not exists (
    select from ops.pipeline_run
    where step = 'measure_drift' and status = 'success' and pipeline_run.as_of > last_as_of and pipeline_run.as_of <= $1
))
group by 1, 2
union all
select null, null, null, null, max(as_of) from known
order by metric nulls first, subject
