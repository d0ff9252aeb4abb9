-- one row per fixture that kicks off soon and has no prediction, with why and what to do. The reasons are those of the
-- last build. $1 present, $2 the last kick-off that is looked at
with told as materialized (
    select match_id, competition, kickoff_at, home_team, away_team, reason, what_to_do
    from analytics.unpredicted
    where kickoff_at > $1 and kickoff_at <= $2
)

select
    match.competition, match.kickoff_at, match.home_team, match.away_team,
    coalesce(told.reason, 'waiting') as reason, told.what_to_do
from core.match as match
left join told using (match_id)
where match.status = 'scheduled' and not match.is_played
    and match.kickoff_at > $1 and match.kickoff_at <= $2
    and not exists (
        select from ledger.prediction as prediction
        where prediction.match_id = match.match_id and prediction.role = 'champion' and prediction.predicted_at <= $1
    )
union all
-- Fixtures that never became a match.
select told.competition, told.kickoff_at, told.home_team, told.away_team, told.reason, told.what_to_do
from told
where told.reason not in ('superseded', 'called_off')
    and not exists (select from core.match as match where match.match_id = told.match_id)
order by kickoff_at, competition, home_team
