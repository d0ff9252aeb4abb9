-- one row per model version trained on matches of a payload: on their results while these held, or on their prices.
-- A result holds until a source whose word counts more, or later news of one that counts as much, takes its place.
with results as materialized (
    select
        own.fixture_key, own.known_at, match.kickoff_at, match.competition,
        coalesce(
            (
                select min(greatest(later.known_at, own.known_at))
                from landing.score_observation as later
                where later.fixture_key = own.fixture_key
                    and (
                        -coalesce(array_position(%(scores)s::text[], later.source), 1000), later.known_at,
                        later.observed_at, later.payload_id
                    ) > (
                        -coalesce(array_position(%(scores)s::text[], own.source), 1000), own.known_at,
                        own.observed_at, own.payload_id
                    )
                    and not exists (
                        select from landing.set_aside as aside
                        where aside.kind = 'score' and aside.fixture_key = later.fixture_key
                            and aside.payload_id = later.payload_id
                    )
            ),
            'infinity'::timestamptz
        ) as known_until
    from landing.score_observation as own
    inner join core.match as match on match.match_id = own.fixture_key
    where own.payload_id = %(payload_id)s and not exists (
        select from landing.set_aside as aside
        where aside.kind = 'score' and aside.fixture_key = own.fixture_key and aside.payload_id = own.payload_id
    )
),

quoted as (
    select match.match_id, match.kickoff_at, match.competition, min(observation.known_at) as known_at
    from landing.odds_observation as observation
    inner join core.match as match on match.match_id = observation.fixture_key
    where observation.observed_at = %(observed_at)s and observation.payload_id = %(payload_id)s
        and not observation.is_closing
        -- Prices that its timetable puts before kick-off are learned from whenever they came.
        and (observation.known_at < match.kickoff_at or observation.source = 'football_data_uk')
        and not exists (
            select from landing.set_aside as aside
            where aside.kind = 'quote' and aside.fixture_key = observation.fixture_key
                and aside.payload_id = observation.payload_id and aside.bookmaker = observation.bookmaker
                and aside.market = observation.market and aside.line = observation.line
                and aside.is_closing = observation.is_closing
        )
    group by match.match_id, match.kickoff_at, match.competition
),

learned as (
    select fixture_key, known_at, known_until, kickoff_at, competition from results
    union all
    select match_id, greatest(kickoff_at, known_at), 'infinity', kickoff_at, competition from quoted
),

trained as (
    select
        to_id, run_id, (detail ->> 'as_of')::timestamptz as as_of,
        (detail ->> 'trained_from')::timestamptz as trained_from,
        (detail ->> 'trained_until')::timestamptz as trained_until,
        string_to_array(detail ->> 'competitions', ',') as competitions
    from ops.lineage_edge
    where from_kind = 'training_set' and to_kind = 'model_version'
)

select
    trained.to_id as model_version, trained.as_of, trained.run_id, count(distinct learned.fixture_key) as n_matches
from trained
inner join learned
    on
        learned.kickoff_at between trained.trained_from and trained.trained_until
        and learned.known_at <= trained.as_of and trained.as_of < learned.known_until
        and learned.competition = any(trained.competitions)
group by trained.to_id, trained.as_of, trained.run_id
order by trained.as_of, trained.to_id
