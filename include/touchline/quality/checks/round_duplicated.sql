with repeated as (
    select
        fresh.competition, fresh.fixture_key, fresh.payload_id, fresh.home_team, fresh.away_team, fresh.kickoff_on,
        min(known.kickoff_on) as known_on, min(abs(fresh.kickoff_on - known.kickoff_on)) as days
    from fresh_fixture as fresh
    inner join known
        on known.competition = fresh.competition
        and known.kickoff_on between fresh.kickoff_on - 3 and fresh.kickoff_on + 3
        and known.home_team = fresh.home_team and known.away_team = fresh.away_team
        and known.fixture_key <> fresh.fixture_key
    where (known.payload_id, known.row_number) < (fresh.payload_id, fresh.row_number)
        and (known.is_firm or known.payload_id = fresh.payload_id)
        and known.status not in ('postponed', 'cancelled', 'abandoned')
    group by fresh.competition, fresh.fixture_key, fresh.payload_id, fresh.home_team, fresh.away_team, fresh.kickoff_on
)

select
    competition, fixture_key, payload_id,
    format('%%s - %%s on %%s stands for %%s already', home_team, away_team, kickoff_on, known_on) as reason
from (select *, count(*) over (partition by payload_id, competition, kickoff_on) as n from repeated) as counted
-- Where teams meet four times in a season, a moved match may follow the other by three days; a round does not.
where days <= 2 or n >= 3
