-- at most one row: the fixture in force when the features were made. The source whose word counts first comes before
-- the others, those without a place come last; then the latest counts.
select kickoff_at, status, payload_id, row_number, known_at
from landing.fixture_observation as observation
where fixture_key = %(match_id)s and known_at <= %(features_as_of)s and not exists (
    select from landing.set_aside as aside
    where aside.kind = 'fixture' and aside.fixture_key = observation.fixture_key
        and aside.payload_id = observation.payload_id
)
order by array_position(%(fixtures)s::text[], source), known_at desc, observed_at desc, payload_id desc
limit 1
