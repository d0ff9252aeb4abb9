select
    fresh.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s on %%s: %%s - %%s on %%s was known before', fresh.home_team, fresh.away_team, fresh.kickoff_on,
        known.home_team, known.away_team, known.kickoff_on) as reason
from fresh_fixture as fresh
inner join known
    on known.competition = fresh.competition
    and known.kickoff_on between fresh.kickoff_on - 1 and fresh.kickoff_on + 1
    and known.home_team = fresh.away_team and known.away_team = fresh.home_team
where (known.payload_id, known.row_number) < (fresh.payload_id, fresh.row_number)
    and known.status not in ('postponed', 'cancelled', 'abandoned')
