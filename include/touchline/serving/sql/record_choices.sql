-- one row per role, forecast, season and competition that has settled predictions, with their number
select role, forecast, season, competition, count(*)::int as n
from analytics.settled_predictions
group by role, forecast, season, competition
order by role, n desc, season, competition
