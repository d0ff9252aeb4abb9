-- one row: how many predictions, beside those given, are of whoever plays later in a country that a payload has results
-- from: ratings carry them from opponent to opponent
with countries as (
    select match.country, min(match.kickoff_at) as kickoff_at, min(observation.known_at) as known_at
    from landing.score_observation as observation
    inner join core.match as match on match.match_id = observation.fixture_key
    where observation.payload_id = %(payload_id)s and match.stage = 'league' and not exists (
        select from landing.set_aside as aside
        where aside.kind = 'score' and aside.fixture_key = observation.fixture_key
            and aside.payload_id = observation.payload_id
    )
    group by match.country
)

select count(*)
from countries
inner join core.match as match on match.country = countries.country and match.kickoff_at > countries.kickoff_at
inner join ledger.prediction as said on said.match_id = match.match_id
where said.kickoff_at > countries.kickoff_at and said.features_as_of >= countries.known_at
    and said.prediction_id not in (select unnest(%(direct)s::text[]::uuid[]))
