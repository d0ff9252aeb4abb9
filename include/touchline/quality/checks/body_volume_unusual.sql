with ahead as (
    -- one row per new list and match that an earlier one announced and that is still to come, as it was announced last
    select distinct on (list.payload_id, fixture.fixture_key)
        list.payload_id, list.endpoint, fixture.competition, fixture.season, fixture.home_team, fixture.away_team,
        fixture.fixture_key, fixture.status, fixture.payload_id as announced_by
    from landing.payload as list
    inner join landing.payload as earlier
        on earlier.source = list.source and earlier.endpoint = list.endpoint and earlier.payload_id < list.payload_id
    inner join landing.fixture_observation as fixture
        on fixture.payload_id = earlier.payload_id and fixture.kickoff_at > list.observed_at
    where list.payload_id in (select payload_id from fresh_payload where is_whole)
        and list.endpoint !~ '/[A-Z]+[0-9]*\.csv$' and not exists (
            select from quarantined as bad
            where bad.kind = 'fixture' and bad.fixture_key = fixture.fixture_key and bad.payload_id = fixture.payload_id
        )
    order by list.payload_id, fixture.fixture_key, fixture.payload_id desc
),

counted as (
    select payload_id, endpoint, count(*) as n_ahead
    from ahead
    where status = 'scheduled' and not exists (
        -- A pairing that was announced for another day since has been moved.
        select from landing.fixture_observation as moved
        where moved.competition = ahead.competition and moved.season = ahead.season
            and moved.home_team = ahead.home_team and moved.away_team = ahead.away_team
            and moved.fixture_key <> ahead.fixture_key and moved.payload_id > ahead.announced_by
    )
    group by payload_id, endpoint
)

select
    null as competition, payload_id,
    format('%%s holds %%s rows, and announced %%s matches before that are still to come', endpoint, n_rows, n_ahead)
        as reason
from counted
inner join landing.payload_parsed as parsed using (payload_id)
where n_ahead - n_rows >= 5 and n_rows < 0.7 * n_ahead
