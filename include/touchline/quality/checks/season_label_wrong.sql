select
    fresh.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s on %%s is said to be of %%s; the %%s matches around it are of %%s', fresh.home_team,
        fresh.away_team, fresh.kickoff_on, fresh.season, around.n, around.season) as reason
from fresh_fixture as fresh
inner join lateral (
    select min(known.season) as season, count(*) as n
    from known
    where known.competition = fresh.competition and known.payload_id < fresh.payload_id
        and known.kickoff_on between fresh.kickoff_on - 10 and fresh.kickoff_on + 10
    having count(*) >= 5 and min(known.season) = max(known.season)
) as around on around.season <> fresh.season
