-- one row per payload that the gate has not looked at, and per newest season file of the competitions that are held.
-- Rows that wait for a team or a match are not bad rows. Where one of several sources sends nonsense, others still
-- speak; a season file of the anchor, whose names are everybody's, holds its competition. A newer body of the same
-- request heals an older one. Quotes and prices set aside are counted that no older body of the request held.
select
    concat_ws(' ', 'payload', payload_id, source, endpoint) as row_key, file.competition, n_rows, rejected_share,
    case when is_of_anchor then rejected_share else 0 end as anchor_rejected_share,
    (is_of_anchor and is_unreadable)::int as n_anchor_unreadable, is_unreadable::int as n_unreadable,
    case
        when n_quotes + n_rejected_prices >= 50
            then n_rejected_prices::float8 / (n_quotes + n_rejected_prices)
        else 0
    end as rejected_price_share
from landing.payload_parsed as parsed
inner join landing.payload using (payload_id)
cross join lateral (
    select
        substring(endpoint from '([A-Z]+[0-9]*)[.]csv$') as competition,
        source = %(anchor)s and endpoint ~ '/[A-Z]+[0-9]*[.]csv$' as is_of_anchor
) as file
inner join lateral (
    select
        case
            when n_rows >= 20
                then (
                    n_rejected - count(distinct row_number) filter (where rule = any(%(waiting)s) and scope = 'row')
                )::float8 / n_rows
            else 0
        end as rejected_share,
        coalesce(bool_or(scope = 'payload'), false) as is_unreadable
    from landing.rejected_row
    where rejected_row.payload_id = parsed.payload_id and rejected_row.run_id = parsed.run_id
) as counted on true
where observed_at <= %(as_of)s
    and (
        file.competition = any(%(held)s)
        or not exists (
            select from ops.seen_input as seen
            where consumer = 'check_landing' and kind = 'payload' and input_id = payload.payload_id
                and seen.as_of <= %(as_of)s
        )
    )
    and not exists (
        select from landing.payload as newer
        inner join landing.payload_parsed using (payload_id)
        where newer.source = payload.source and newer.endpoint = payload.endpoint
            and newer.payload_id > payload.payload_id and newer.observed_at <= %(as_of)s
    )
