-- at most one row: the profile of a key. $1 its prefix
select
    competitions, teams, time_zone, odds_format, language, kickoff_soon_minutes, prediction_moved, settled_hours, updated_at
from ops.user_profile
where prefix = $1
