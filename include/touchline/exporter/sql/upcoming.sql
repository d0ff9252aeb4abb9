-- one row per competition with fixtures ahead: how many have a prediction, and one more: the next kick-off of all. $1 present
with ahead as (
    select
        competition, kickoff_at,
        exists (
            select from ledger.prediction as prediction
            where prediction.match_id = match.match_id and prediction.role = 'champion' and prediction.predicted_at <= $1
        ) as is_predicted
    from core.match as match
    where status = 'scheduled' and not is_played and kickoff_at > $1
)

select competition, count(*) filter (where is_predicted) as n_predicted, null::timestamptz as next_kickoff
from ahead
group by competition
union all
select null, null, min(kickoff_at) from ahead
order by n_predicted desc nulls first, competition
