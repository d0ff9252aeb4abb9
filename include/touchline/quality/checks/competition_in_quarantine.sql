-- What was said of a competition since it is held counts until it is healed, though it has been looked at.
with held as (
    select competition, min(recorded_at) as held_at
    from ops.competition_hold as hold
    where gate = 'landing' and column_name = 'competition_in_quarantine' and held_as_of <= %(as_of)s and not exists (
        select from ops.competition_hold as ended
        inner join ops.competition_release as released using (competition_hold_id)
        where ended.competition = hold.competition and ended.gate = hold.gate and ended.column_name = hold.column_name
            and ended.competition_hold_id >= hold.competition_hold_id and released.kind <> 'widened'
            and released.released_as_of <= %(as_of)s
    )
    group by competition
),

screened as (
    select input.payload_id, coalesce(input.known_since, '-infinity') as known_since, seen.seen_at
    from ops.seen_input as seen inner join landing.input as input using (kind, input_id)
    where seen.consumer = 'check_landing'
),

watched as (
    select payload_id, known_since, null as competition from fresh_payload
    union all
    select screened.payload_id, screened.known_since, held.competition
    from held inner join screened on screened.seen_at >= held.held_at
),

said as (
    select 'fixture' as kind, fact.competition, fact.fixture_key, fact.source, fact.payload_id
    from watched
    inner join landing.fixture_observation as fact using (payload_id)
    where fact.known_at between watched.known_since and %(as_of)s
        and coalesce(watched.competition, fact.competition) = fact.competition
    union all
    select 'score', fixture.competition, fact.fixture_key, fact.source, fact.payload_id
    from watched
    inner join landing.score_observation as fact using (payload_id)
    inner join lateral (
        select competition from landing.fixture_observation where fixture_key = fact.fixture_key limit 1
    ) as fixture on coalesce(watched.competition, fixture.competition) = fixture.competition
    where fact.known_at between watched.known_since and %(as_of)s
),

-- one row per match, kind and source: the last word alone, so that a correction heals
last_word as (
    select distinct on (fixture_key, kind, source) * from said order by fixture_key, kind, source, payload_id desc
),

matches as (
    select
        competition, fixture_key, max(payload_id) as payload_id,
        bool_or(exists (
            select from landing.set_aside as bad
            where bad.kind = last_word.kind and bad.fixture_key = last_word.fixture_key
                and bad.payload_id = last_word.payload_id
        )) as is_bad
    from last_word group by competition, fixture_key
),

counted as (
    select
        competition, max(payload_id) as payload_id, count(*) as n, count(*) filter (where is_bad) as n_bad,
        array_agg(fixture_key) filter (where is_bad) as bad_keys
    from matches group by competition
)

select
    competition, payload_id,
    format('%%s of the %%s matches of %%s that something new was said about are in quarantine', n_bad, n, competition)
        as reason,
    array(
        select distinct on (fixture_key) concat_ws(' ', competition, season, home_team, '-', away_team)
        from landing.fixture_observation where fixture_key = any(bad_keys)
        order by fixture_key, payload_id
    ) as row_keys
from counted
where n_bad >= 5 and n_bad > n / 3.0
