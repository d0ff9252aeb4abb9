select
    fresh.competition, fresh.fixture_key, fresh.payload_id,
    min(format('%%s plays %%s - %%s on %%s and %%s - %%s', other.team, fresh.home_team, fresh.away_team,
        fresh.kickoff_on, other.home_team, other.away_team)) as reason
from fresh_fixture as fresh
inner join appearance as other
    on other.competition = fresh.competition and other.kickoff_on = fresh.kickoff_on
    and other.team in (fresh.home_team, fresh.away_team)
where (other.payload_id, other.row_number) < (fresh.payload_id, fresh.row_number)
    and other.fixture_key <> fresh.fixture_key
    -- A pairing that comes twice has rules of its own; an announcement that was never confirmed proves nothing.
    and (least(other.home_team, other.away_team), greatest(other.home_team, other.away_team))
    <> (least(fresh.home_team, fresh.away_team), greatest(fresh.home_team, fresh.away_team))
    and (other.is_firm or other.payload_id = fresh.payload_id)
    and fresh.status not in ('postponed', 'cancelled', 'abandoned')
group by fresh.competition, fresh.fixture_key, fresh.payload_id
