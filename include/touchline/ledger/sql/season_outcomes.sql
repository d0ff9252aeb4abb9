-- one row per season and team that was settled: the newest revision
select distinct on (competition, season, team_id) competition, season, team_id::text as team_id, revision, place, points,
    reached
from ledger.season_outcome
where settled_at <= %(as_of)s
order by competition, season, team_id, revision desc
