-- one row per season that was forecast: what its last forecast rests on
select distinct on (competition, season) competition, season, basis
from ledger.season_forecast
where forecast_at <= %(as_of)s
order by competition, season, forecast_at desc, forecast_id desc
