-- one row: matches of the last seven days whose first prediction by a champion was made within the promised time before
-- kick-off. $1 present, $2 how long before kick-off a prediction is promised
with kicked_off as (
    select match_id, max(kickoff_at) as kickoff_at
    from ledger.prediction
    where role = 'champion' and kickoff_at > $1::timestamptz - interval '7 days' and kickoff_at <= $1
    group by match_id
)

select count(*) as n_late
from kicked_off
where kickoff_at - $2::interval < (
    select min(predicted_at) from ledger.prediction as prediction
    where prediction.match_id = kicked_off.match_id and prediction.role = 'champion'
)
