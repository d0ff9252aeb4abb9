with earlier as (
    select
        fresh.payload_id, fresh.endpoint, parsed.n_rows, before.n_rows as n_rows_before,
        row_number() over (partition by fresh.payload_id order by before.payload_id desc) as place
    from landing.payload as fresh
    inner join landing.payload_parsed as parsed using (payload_id)
    inner join landing.payload as old
        on old.source = fresh.source and old.endpoint = fresh.endpoint and old.payload_id < fresh.payload_id
        and extract(dow from old.observed_at) = extract(dow from fresh.observed_at)
        -- Eight weeks are one stage of a season.
        and old.observed_at > fresh.observed_at - interval '60 days'
    inner join landing.payload_parsed as before on before.payload_id = old.payload_id
    where fresh.payload_id in (select payload_id from fresh_payload where is_whole)
        and fresh.endpoint !~ '/[A-Z]+[0-9]*\.csv$'
),

medians as (
    select payload_id, endpoint, n_rows, percentile_cont(0.5) within group (order by n_rows_before) as usual
    from earlier group by payload_id, endpoint, n_rows
    having count(*) >= 4
)

select
    null as competition, medians.payload_id,
    format('%%s holds %%s rows, usually %%s on this weekday', medians.endpoint, medians.n_rows, usual) as reason
from medians
inner join lateral (
    select percentile_cont(0.5) within group (order by abs(n_rows_before - usual)) as deviation
    from earlier where earlier.payload_id = medians.payload_id
) as spread on abs(medians.n_rows - usual) > 5 * greatest(1.4826 * deviation, 0.1 * usual, 1)
