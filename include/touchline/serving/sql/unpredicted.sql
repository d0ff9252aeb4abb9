-- one row per fixture without a prediction: why, as of the last build; what began long ago or was predicted since is
-- left out. $1 present, $2 competition
select competition, kickoff_at, home_team, away_team, match_id, reason, detail, look_at, what_to_do
from analytics.unpredicted as unpredicted
where kickoff_at > $1::timestamptz - interval '1 day' and ($2::text is null or competition = $2)
    and not exists (
        select from ledger.prediction as prediction
        where prediction.match_id = unpredicted.match_id and prediction.role = 'champion'
            and prediction.predicted_at <= $1
    )
order by kickoff_at, competition, home_team, away_team
