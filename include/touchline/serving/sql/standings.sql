-- one row per team of a season: the newest table of the league stage. $1 competition, $2 season, the newest if null
select
    competition, season, position, team_id, team, n_played, goals_for, goals_against, points, points_deducted,
    table_rule, may_lack, is_simulated
from analytics.standings
where competition = $1
    and season = coalesce($2::text, (select max(season) from analytics.standings where competition = $1))
