-- one row: when the newest prediction was made, as seen from the present. $1 present, null while it is not known
select max(predicted_at) as predicted_at from ledger.prediction where predicted_at <= coalesce($1::timestamptz, 'infinity')
