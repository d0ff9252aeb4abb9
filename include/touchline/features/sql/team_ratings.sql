-- one row per team that has played: its ratings as known at an instant
select distinct on (team_id) *
from features.team_rating
where team_id = any(%(team_ids)s::uuid[]) and valid_from <= %(as_of)s and valid_to > %(as_of)s
order by team_id, valid_from desc, kickoff_at desc, match_id desc
