-- one row per team of a season that was settled: where it ended, by the newest revision
select distinct on (competition, season, team_id)
    competition,
    season,
    team_id,
    place,
    points,
    reached,
    settled_at
from {{ source('ledger', 'season_outcome') }}
order by competition, season, team_id, revision desc
