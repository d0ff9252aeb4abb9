-- one row per team with a fixture ahead that the champion has predicted. $1 present
select distinct side.team_id, side.name
from core.match as match
cross join lateral (
    values (match.home_team_id, match.home_team), (match.away_team_id, match.away_team)
) as side (team_id, name)
where match.status = 'scheduled' and not match.is_played and match.kickoff_at > $1
    and exists (
        select from ledger.prediction
        where match_id = match.match_id and role = 'champion' and predicted_at <= $1
    )
order by side.name, side.team_id
