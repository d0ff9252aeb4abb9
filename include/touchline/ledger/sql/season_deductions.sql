-- one row per competition, season and team from which points were taken: how many, as known at an instant
select deduction.competition, deduction.season, team.team_id::text as team_id, sum(deduction.points)::int as points
from core.point_deduction as deduction
inner join core.competition using (competition)
inner join core.team on team.country = competition.country and team.name = deduction.team
where (deduction.known_on + 1)::timestamp at time zone 'UTC' <= %(as_of)s
group by deduction.competition, deduction.season, team.team_id
