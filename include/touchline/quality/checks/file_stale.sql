select
    overdue.competition, file.payload_id,
    format('%%s is the same since %%s, though %%s matches were played from %%s to %%s; it was read again on %%s', endpoint,
        file.observed_at::date, n_overdue, first_kickoff_at::date, last_kickoff_at::date, seen_at::date) as reason
from overdue
inner join lateral (
    select payload_id, endpoint, observed_at from landing.payload
    where substring(endpoint from '([A-Z]+[0-9]*)\.csv$') = overdue.competition and observed_at <= %(as_of)s
    order by endpoint desc, payload_id desc limit 1
) as file on file.observed_at < overdue.first_kickoff_at + interval '1 day'
inner join lateral (
    select max(observed_at) as seen_at from landing.payload_seen as seen
    where seen.payload_id = file.payload_id and seen.observed_at <= %(as_of)s
) as seen on seen.seen_at > overdue.last_kickoff_at + interval '1 day'
