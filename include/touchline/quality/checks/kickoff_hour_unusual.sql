with usual as (
    select
        competition,
        percentile_cont(array[0.01, 0.99]) within group (
            order by extract(epoch from (kickoff_at at time zone 'UTC')::time) / 3600
        ) as hours
    from landing.fixture_observation as observed
    where is_kickoff_time_known and known_at <= %(as_of)s
        and competition in (select competition from fresh_fixture) and not exists (
            select from fresh_payload as fresh
            where fresh.payload_id = observed.payload_id and observed.known_at >= fresh.known_since
        )
    group by competition
    having count(*) >= 50
)

select
    fresh.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s kicks off at %%s UTC; %%s does between %%s and %%s h', fresh.home_team, fresh.away_team,
        to_char(fresh.kickoff_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), fresh.competition,
        round(usual.hours[1]::numeric, 1), round(usual.hours[2]::numeric, 1)) as reason
from fresh_fixture as fresh
inner join usual using (competition)
where fresh.is_kickoff_time_known
    and extract(epoch from (fresh.kickoff_at at time zone 'UTC')::time) / 3600
    not between usual.hours[1] - 4 and usual.hours[2] + 4
