-- one row per measurement of drift, the oldest first: the last of each subject, and every one that said drift since $2.
-- $1 present, $2 since when
with measured as (
    select
        metric, subject, value, threshold, n_matches, is_drift, as_of,
        as_of = max(as_of) over (partition by metric, subject) as is_last
    from ops.drift_metric
    where as_of <= $1 and n_matches is not null
)

select * from measured
where is_last or (is_drift and as_of > $2)
order by as_of, metric, subject
