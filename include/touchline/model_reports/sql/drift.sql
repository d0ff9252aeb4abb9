-- one row per measurement of drift, the oldest first: what the last one of each metric said, and every one that said drift
-- since $2. What the last measurement had too few matches to judge, as after a new champion, is not among the last; features
-- are compared once a week. $1 present, $2 since when
with measured as (
    select
        metric, subject, value, threshold, n_matches, is_drift, as_of, max(as_of) over (partition by metric) as last_as_of
    from ops.drift_metric
    where as_of <= $1 and n_matches is not null
),

judged as (
    select
        measured.*,
        as_of = last_as_of and (metric = 'feature_drift' or not exists (
            select from ops.pipeline_run
            where step = 'measure_drift' and status = 'success' and pipeline_run.as_of > last_as_of
                and pipeline_run.as_of <= $1
        )) as is_last
    from measured
)

select metric, subject, value, threshold, n_matches, is_drift, as_of, is_last from judged
where is_last or (is_drift and as_of > $2)
order by as_of, metric, subject
