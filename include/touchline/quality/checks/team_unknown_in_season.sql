with season as (
    select
        observed.competition, observed.season,
        array_agg(distinct team) as teams,
        count(distinct observed.fixture_key) as n_matches
    from landing.fixture_observation as observed
    inner join (select distinct competition, season from fresh_fixture) as wanted using (competition, season)
    cross join lateral unnest(array[observed.home_team, observed.away_team]) as team
    where observed.known_at <= %(as_of)s and not exists (
        select from fresh_payload as fresh
        where fresh.payload_id = observed.payload_id and observed.known_at >= fresh.known_since
    ) and not exists (
        select from quarantined as bad
        where bad.kind = 'fixture' and bad.fixture_key = observed.fixture_key
            and bad.payload_id = observed.payload_id
    )
    group by observed.competition, observed.season
)

select
    fresh.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s on %%s: %%s has played none of the %%s matches of %%s %%s', fresh.home_team, fresh.away_team,
        fresh.kickoff_on, case when fresh.home_team = any(teams) then fresh.away_team else fresh.home_team end,
        n_matches, fresh.competition, fresh.season) as reason
from fresh_fixture as fresh
inner join season using (competition, season)
-- Three matches a team are enough to have met everybody.
where n_matches >= 1.5 * cardinality(teams) and not (fresh.home_team = any(teams) and fresh.away_team = any(teams))
