-- no row may be: a result known before its match kicked off
select results.match_id
from {{ ref('match_result') }} as results
inner join {{ ref('match') }} as matches on results.match_id = matches.match_id
where results.known_at <= matches.kickoff_at and {{ is_new_to_this_build('results.match_id') }}
