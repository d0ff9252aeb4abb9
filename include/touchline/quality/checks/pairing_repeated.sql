with pairing as (
    select observed.competition, observed.season, observed.home_team, observed.away_team
    from landing.fixture_observation as observed
    inner join (
        select distinct competition, season from fresh_fixture where competition = any(%(meets_once)s)
    ) as wanted using (competition, season)
    where observed.observed_at <= %(as_of)s
    group by observed.competition, observed.season, observed.home_team, observed.away_team
    having min(observed.fixture_key::text) <> max(observed.fixture_key::text)
),

last_word as (
    select distinct on (observed.fixture_key) observed.*
    from landing.fixture_observation as observed
    inner join pairing using (competition, season, home_team, away_team)
    where observed.observed_at <= %(as_of)s and not exists (
        select from quarantined as bad
        where bad.kind = 'fixture' and bad.fixture_key = observed.fixture_key and bad.payload_id = observed.payload_id
    )
    order by observed.fixture_key, observed.payload_id desc
)

select
    fresh.competition, fresh.fixture_key, fresh.payload_id,
    min(format('%%s - %%s on %%s was played on %%s already', fresh.home_team, fresh.away_team, fresh.kickoff_on,
        played.kickoff_on)) as reason
from fresh_fixture as fresh
inner join last_word as played using (competition, season, home_team, away_team)
where played.fixture_key <> fresh.fixture_key
    -- In a play-off the sides of a league match meet again.
    and coalesce(played.stage, 'league') = coalesce(fresh.stage, 'league')
    and (played.payload_id, played.row_number) < (fresh.payload_id, fresh.row_number)
    and played.status not in ('postponed', 'cancelled', 'abandoned', 'withdrawn')
    and fresh.status not in ('postponed', 'cancelled', 'abandoned')
    and exists (select from landing.score_observation as score where score.fixture_key = played.fixture_key)
group by fresh.competition, fresh.fixture_key, fresh.payload_id
