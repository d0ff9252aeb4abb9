-- one row per fixture ahead of which the champion had said something a day before the present: what it says now, less that
-- $1 present, $2 from, $3 to (of the kick-off), $4 competition, $5 id of a team
select
    latest.prediction_id, match.match_id, match.kickoff_at, match.competition, competition.name as competition_name,
    match.home_team, match.away_team, latest.predicted_at,
    json_build_object('home', latest.p_home, 'draw', latest.p_draw, 'away', latest.p_away) as probabilities,
    before.prediction_id as before_id, before.predicted_at as before_at,
    json_build_object(
        'home', latest.p_home - before.p_home, 'draw', latest.p_draw - before.p_draw,
        'away', latest.p_away - before.p_away
    ) as moves,
    greatest(
        abs(latest.p_home - before.p_home), abs(latest.p_draw - before.p_draw), abs(latest.p_away - before.p_away)
    ) as moved_by,
    latest.is_simulated
from core.match as match
inner join core.competition as competition on competition.competition = match.competition
cross join lateral (
    select * from ledger.prediction
    where match_id = match.match_id and role = 'champion' and predicted_at <= $1
    order by predicted_at desc, prediction_id desc
    limit 1
) as latest
cross join lateral (
    select * from ledger.prediction
    where match_id = match.match_id and role = 'champion' and predicted_at <= $1::timestamptz - interval '24 hours'
    order by predicted_at desc, prediction_id desc
    limit 1
) as before
where match.status = 'scheduled' and not match.is_played and match.kickoff_at > $1
    and ($2::timestamptz is null or match.kickoff_at >= $2)
    and ($3::timestamptz is null or match.kickoff_at <= $3)
    and ($4::text is null or match.competition = $4)
    and ($5::uuid is null or $5 in (match.home_team_id, match.away_team_id))
