-- The seasons that something new came of are judged as a whole, the new rows and those before: a first load of history
-- like a list of fixtures. A team that joins late, or is expelled early, has more than a tenth of the others' matches
-- (2 clubs let in by Greece in November 2011, after 9 rounds, are the nearest in 30 seasons of 22 leagues).
with stated as (
    select
        observed.fixture_key, observed.payload_id, observed.competition, observed.season, observed.home_team,
        observed.away_team, observed.kickoff_on, observed.stage
    from landing.fixture_observation as observed
    inner join (select distinct competition, season from fresh_fixture) as wanted using (competition, season)
    where observed.known_at <= %(as_of)s and not exists (
        select from quarantined as bad
        where bad.kind = 'fixture' and bad.fixture_key = observed.fixture_key
            and bad.payload_id = observed.payload_id
    )
    union all
    select fixture_key, payload_id, competition, season, home_team, away_team, kickoff_on, stage
    from fresh_fixture as fresh
    where exists (
        select from quarantined as bad
        where bad.kind = 'fixture' and bad.fixture_key = fresh.fixture_key and bad.payload_id = fresh.payload_id
    )
),

-- In a play-off, teams of other leagues have their place.
play_off as (
    select fixture_key from stated where stage = 'play_off'
),

named as (
    select competition, season, team, count(*) as n
    from (select distinct fixture_key, competition, season, home_team, away_team from stated) as matches
    cross join lateral unnest(array[home_team, away_team]) as team
    where fixture_key not in (select fixture_key from play_off)
    group by competition, season, team
),

usual as (
    select competition, season, percentile_cont(0.5) within group (order by n) as n
    from named group by competition, season
),

-- Few, and found before their matches are looked for.
unknown as materialized (
    select named.*, usual.n as n_usual
    from named inner join usual using (competition, season)
    where named.n <= usual.n / 10
)

select distinct on (stated.fixture_key, stated.payload_id)
    stated.competition, stated.fixture_key, stated.payload_id,
    format('%%s - %%s on %%s: %%s is named in %%s matches of %%s %%s, most teams in %%s', stated.home_team,
        stated.away_team, stated.kickoff_on, unknown.team, unknown.n, stated.competition, stated.season,
        unknown.n_usual) as reason
from stated
inner join unknown
    on unknown.competition = stated.competition and unknown.season = stated.season
    and unknown.team in (stated.home_team, stated.away_team)
where stated.fixture_key not in (select fixture_key from play_off)
order by stated.fixture_key, stated.payload_id, unknown.n
