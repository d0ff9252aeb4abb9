-- a new row per fact that breaks a rule, once a rule
insert into landing.quarantined_fact (kind, fixture_key, payload_id, bookmaker, market, line, is_closing, rule, reason,
    observed_at, run_id)
select distinct on (kind, fixture_key, payload_id, bookmaker, market, line, is_closing)
    kind, fixture_key, payload_id, bookmaker, market, line, is_closing, rule, reason, %(as_of)s, %(run_id)s
from finding
where rule = %(rule)s and not exists (
    select from landing.quarantined_fact as bad
    where bad.rule = finding.rule and bad.kind = finding.kind and bad.fixture_key = finding.fixture_key
        and bad.payload_id = finding.payload_id
        and (bad.bookmaker, bad.market, bad.line, bad.is_closing)
        is not distinct from (finding.bookmaker, finding.market, finding.line, finding.is_closing)
)
order by kind, fixture_key, payload_id, bookmaker, market, line, is_closing, reason
