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
    competition, null::bigint as payload_id,
    format('%%s matches of %%s kicked off from %%s to %%s and have no result', n_overdue, competition,
        first_kickoff_at::date, last_kickoff_at::date) as reason
from overdue
