-- one row per match: the last ones that a team played before a time, latest first, and what the champion said last of each,
-- null where it said nothing. $1 team, $2 time, $3 how many
select
    played.match_id, played.kickoff_at, played.competition, played.is_home, played.opponent_id, played.opponent,
    played.goals_for, played.goals_against, played.result, said.p_home, said.p_draw, said.p_away
from (
    select * from analytics.team_matches
    where team_id = $1 and kickoff_at < $2
    order by kickoff_at desc, match_id
    limit $3
) as played
left join lateral (
    select p_home, p_draw, p_away from ledger.prediction
    where prediction.match_id = played.match_id and role = 'champion'
    order by predicted_at desc, prediction_id desc
    limit 1
) as said on true
order by played.kickoff_at desc, played.match_id
