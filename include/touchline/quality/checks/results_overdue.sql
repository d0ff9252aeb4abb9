select
    competition, null::bigint as payload_id, row_keys,
    format('%%s matches of %%s kicked off from %%s to %%s and have no result', n_overdue, competition,
        first_kickoff_at::date, last_kickoff_at::date) as reason
from overdue
