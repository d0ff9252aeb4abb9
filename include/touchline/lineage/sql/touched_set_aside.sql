-- one row per fact of a payload that was set aside, with the rules that it broke
select
    kind, fixture_key::text as match_id, bookmaker, market, line, is_closing, array_agg(rule order by rule) as rules,
    array_agg(reason order by rule) as reasons, min(observed_at) as set_aside_at
from landing.set_aside
where payload_id = %(payload_id)s
group by kind, fixture_key, bookmaker, market, line, is_closing
order by min(quarantined_fact_id)
