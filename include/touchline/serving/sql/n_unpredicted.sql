-- one row: how many fixtures of the next day nobody has predicted. $1 present
select count(*) as n from core.match as match
where match.status = 'scheduled' and not match.is_played
    and match.kickoff_at > $1 and match.kickoff_at <= $1 + interval '1 day'
    and not exists (
        select from ledger.prediction as prediction
        where prediction.match_id = match.match_id and prediction.role = 'champion' and prediction.predicted_at <= $1
    )
