select
    competition, fixture_key, payload_id,
    format('%%s - %%s is announced for %%s, %%s days back', home_team, away_team, kickoff_on,
        fixture.observed_at::date - kickoff_on) as reason
from fresh_fixture as fixture
inner join landing.payload using (payload_id)
where status = 'scheduled' and kickoff_at < fixture.observed_at - interval '60 days'
    and (
        -- A season file, the list of a season and a snapshot of the past speak of old matches by right.
        endpoint !~ '/[A-Z]+[0-9]*[.]csv$|season=|^historical/'
        or kickoff_on < make_date(left(season, 4)::int, case when season like '%%/%%' then 6 else 1 end, 1)
    )
