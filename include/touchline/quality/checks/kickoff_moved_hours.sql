with compared as (
    select
        fresh.*,
        before.kickoff_at as kickoff_before,
        before.source as source_before,
        extract(epoch from fresh.kickoff_at - before.kickoff_at) / 3600 as hours
    from fresh_fixture as fresh
    inner join lateral (
        select kickoff_at, source from landing.fixture_observation as earlier
        where earlier.fixture_key = fresh.fixture_key and earlier.payload_id < fresh.payload_id
            and earlier.is_kickoff_time_known
        order by earlier.payload_id desc limit 1
    ) as before on true
    where fresh.is_kickoff_time_known and fresh.status not in ('postponed', 'cancelled', 'suspended')
),

bodies as (
    select
        payload_id, competition,
        mode() within group (order by hours) as usual_hours,
        count(*) as n,
        count(*) filter (where hours <> 0 and hours = trunc(hours) and abs(hours) <= 12) as n_by_hours
    from compared group by payload_id, competition
),

judged as (
    select
        compared.*,
        bodies.n >= 3 and bodies.n_by_hours >= 0.8 * bodies.n and compared.hours = bodies.usual_hours
        as is_shifted_body
    from compared inner join bodies using (payload_id, competition)
    where compared.hours <> 0 and compared.hours = trunc(compared.hours) and abs(compared.hours) <= 12
)

select
    competition, fixture_key, payload_id,
    format('%%s - %%s moved by %%s h to %%s (%%s said %%s)', home_team, away_team, hours::int,
        to_char(kickoff_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), source_before,
        to_char(kickoff_before at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) as reason
from judged where not is_shifted_body
