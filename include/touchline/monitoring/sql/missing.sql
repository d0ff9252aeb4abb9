-- one row per reason: the fixtures without a prediction that still can have one. The reasons are those of the last build.
-- $1 present, $2 end of the horizon
with told as materialized (
    select match_id, kickoff_at, reason, what_to_do from analytics.unpredicted
),

missing as (
    select match.kickoff_at, coalesce(told.reason, 'waiting') as reason, told.what_to_do
    from core.match as match
    left join told using (match_id)
    where match.status = 'scheduled' and not match.is_played
        and match.kickoff_at > $1 and match.kickoff_at <= $2
        and not exists (
            select from ledger.prediction as prediction
            where prediction.match_id = match.match_id and prediction.role = 'champion'
                and prediction.predicted_at <= $1
        )
    union all
    -- Fixtures that never became a match; nothing is missing where none will be played.
    select told.kickoff_at, told.reason, told.what_to_do
    from told
    where told.kickoff_at > $1 and told.kickoff_at <= $2 and told.reason not in ('superseded', 'called_off')
        and not exists (select from core.match as match where match.match_id = told.match_id)
)

select reason, count(*)::int as n, min(kickoff_at) as next_kickoff_at, max(what_to_do) as what_to_do
from missing
group by reason
order by n desc, reason
