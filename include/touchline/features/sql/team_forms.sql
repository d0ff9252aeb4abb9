-- one row per team that has played: its form as known at an instant
select distinct on (team_id) *
from features.team_form
where team_id = any(%(team_ids)s::uuid[]) and valid_from <= %(as_of)s
order by team_id, valid_from desc
