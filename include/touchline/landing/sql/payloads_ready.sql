-- one row per payload with rows whose team has a link now, or whose match has been announced; and the newest body with
-- each name in doubt, which may be settled by what the anchor source has said since
with waiting as (
    select payload.payload_id, payload.endpoint, rejected.rule, rejected.value
    from landing.rejected_row as rejected
    inner join landing.payload using (payload_id)
    where payload.source = %(source)s
        and rejected.scope = 'row'
        -- Written as in the index landing.rejected_row_waiting.
        and rejected.rule in ('team_doubtful', 'match_unknown')
        and not exists (
            select 1 from landing.rejected_row_settled as settled
            where settled.rejected_row_id = rejected.rejected_row_id
        )
)

select payload_id from waiting where rule = %(team_rule)s and value = any(%(aliases)s)
union
select payload_id from waiting where rule = %(match_rule)s and exists (
    select 1 from landing.match_link as link where link.source = %(source)s and link.source_match_id = waiting.value
)
union
select max(payload_id) from waiting where rule = %(team_rule)s group by value
order by payload_id
