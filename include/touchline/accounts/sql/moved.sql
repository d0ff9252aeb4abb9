-- one row per fixture ahead of the favourites of which the champion's latest prediction differs from the one before by more
-- than $4 in a probability, the next ones first. $1 present, $2 competitions, $3 teams, $5 limit
select
    match.match_id, match.kickoff_at, match.competition, match.home_team, match.away_team,
    latest.prediction_id, latest.p_home, latest.p_draw, latest.p_away,
    before.p_home as before_home, before.p_draw as before_draw, before.p_away as before_away,
    moved.moved_by
from core.match as match
cross join lateral (
    select * from ledger.prediction
    where match_id = match.match_id and role = 'champion' and predicted_at <= $1
    order by predicted_at desc, prediction_id desc
    limit 1
) as latest
cross join lateral (
    select * from ledger.prediction
    where match_id = match.match_id and role = 'champion' and predicted_at <= $1
    order by predicted_at desc, prediction_id desc
    limit 1 offset 1
) as before
cross join lateral (
    select greatest(
        abs(latest.p_home - before.p_home), abs(latest.p_draw - before.p_draw), abs(latest.p_away - before.p_away)
    ) as moved_by
) as moved
where match.status = 'scheduled' and not match.is_played and match.kickoff_at > $1
    and (match.competition = any($2::text[]) or match.home_team = any($3::text[]) or match.away_team = any($3::text[]))
    and moved.moved_by > $4
order by match.kickoff_at, match.competition, match.home_team, match.match_id
limit $5
