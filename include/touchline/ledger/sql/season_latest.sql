-- one row per season that is not settled and team: its latest forecast as of an instant, of one competition or of all
select *
from (
    select distinct on (competition, season, team_id) *
    from ledger.season_forecast
    where forecast_at <= %(as_of)s and (%(competition)s::text is null or competition = %(competition)s)
    order by competition, season, team_id, forecast_at desc, forecast_id desc
) as forecast
where not exists (
    select from ledger.season_outcome as outcome
    where
        outcome.competition = forecast.competition and outcome.season = forecast.season and outcome.settled_at <= %(as_of)s
)
order by competition, season, expected_points desc, team
