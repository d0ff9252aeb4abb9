-- one row per match of the league stage of seasons that go on at an instant or are not settled: the score once it counts
with wanted as (
    select distinct competition, season from core.match
    where stage = 'league' and kickoff_at > %(since)s
    union
    select competition, season from ledger.season_forecast
    where
        forecast_at <= %(as_of)s
        and (competition, season) not in (select competition, season from ledger.season_outcome where settled_at <= %(as_of)s)
)

select
    match.match_id::text as match_id, match.competition, match.season, match.status, version.home_team, version.away_team,
    match.home_team_id::text as home_team_id, match.away_team_id::text as away_team_id, match.is_simulated,
    case when match.is_played or match.status = 'awarded' then version.home_goals end as home_goals,
    case when match.is_played or match.status = 'awarded' then version.away_goals end as away_goals
from core.match
inner join wanted using (competition, season)
inner join core.match_version as version
    on version.match_id = match.match_id and version.valid_from <= %(as_of)s and version.valid_to > %(as_of)s
where match.stage = 'league' and match.status <> 'superseded'
order by match.kickoff_at, match.match_id
