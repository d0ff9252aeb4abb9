-- a new row per match with facts set aside since the last build; they are noted as seen
with aside as (
    select * from landing.set_aside as fact
    where not exists (
        select from ops.seen_input as seen
        where seen.consumer = 'build_core' and seen.kind = 'quarantine' and seen.input_id = fact.quarantined_fact_id
    )
),

noted as (
    insert into ops.seen_input (consumer, kind, input_id, as_of)
    select 'build_core', 'quarantine', quarantined_fact_id, %(as_of)s from aside
)

insert into ops.match_change (change_id, match_id, known_from)
select %(change_id)s, aside.fixture_key, min(coalesce(fixture.known_at, score.known_at, result.valid_from))
from aside
left join landing.fixture_observation as fixture
    on aside.kind = 'fixture' and fixture.fixture_key = aside.fixture_key and fixture.payload_id = aside.payload_id
left join landing.score_observation as score
    on aside.kind = 'score' and score.fixture_key = aside.fixture_key and score.payload_id = aside.payload_id
left join core.result_version as result on aside.market = '1x2' and result.match_id = aside.fixture_key
group by aside.fixture_key
on conflict (change_id, match_id) do update set known_from = least(match_change.known_from, excluded.known_from)
