with recent as (
    select distinct on (fixture_key)
        fixture_key, competition, season, home_team, away_team, kickoff_on, kickoff_at, status,
        exists (
            select from landing.score_observation as score
            where score.fixture_key = observed.fixture_key and score.known_at <= %(as_of)s
        ) as has_score
    from landing.fixture_observation as observed
    where kickoff_on between %(as_of)s::date - 15 and %(as_of)s::date + 30 and known_at <= %(as_of)s
    order by fixture_key, payload_id desc
),

due as (
    select *, min(kickoff_at) filter (where not has_score) over (partition by competition) as first_kickoff_at
    from recent as match
    where kickoff_at between %(as_of)s - interval '14 days' and %(as_of)s - interval '3 days'
        and status in ('scheduled', 'played', 'in_play')
        -- A pairing that was seen on another day has been moved.
        and not exists (
            select from recent as moved
            where moved.competition = match.competition and moved.home_team = match.home_team
                and moved.away_team = match.away_team and moved.fixture_key <> match.fixture_key
        )
),

overdue as (
    select
        competition, first_kickoff_at,
        count(*) filter (where not has_score) as n_overdue,
        max(kickoff_at) filter (where not has_score) as last_kickoff_at
    from due
    where kickoff_at >= first_kickoff_at
    group by competition, first_kickoff_at
    having count(*) filter (where not has_score) >= 3
        and count(*) filter (where not has_score) > count(*) filter (where has_score)
)

select
    overdue.competition, file.payload_id,
    format('%%s is the same since %%s, though %%s matches were played from %%s to %%s; it was read again on %%s', endpoint,
        file.observed_at::date, n_overdue, first_kickoff_at::date, last_kickoff_at::date, seen_at::date) as reason
from overdue
inner join lateral (
    select payload_id, endpoint, observed_at from landing.payload
    where substring(endpoint from '([A-Z]+[0-9]*)\.csv$') = overdue.competition and observed_at <= %(as_of)s
    order by endpoint desc, payload_id desc limit 1
) as file on file.observed_at < overdue.first_kickoff_at + interval '1 day'
inner join lateral (
    select max(observed_at) as seen_at from landing.payload_seen as seen
    where seen.payload_id = file.payload_id and seen.observed_at <= %(as_of)s
) as seen on seen.seen_at > overdue.last_kickoff_at + interval '1 day'
