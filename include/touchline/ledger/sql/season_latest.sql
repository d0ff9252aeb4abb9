-- one row per season that is not settled and team: its latest forecast as of an instant, of one competition or of all
select forecast.*
from (
    select *, rank() over (partition by competition, season order by forecast_at desc) as age
    from ledger.season_forecast
    where forecast_at <= %(as_of)s and (%(competition)s::text is null or competition = %(competition)s)
) as forecast
where
    age = 1
    and not exists (
        select from ledger.season_outcome as outcome
        where
            outcome.competition = forecast.competition and outcome.season = forecast.season
            and outcome.settled_at <= %(as_of)s
    )
order by competition, season, expected_points desc, team
