-- one row: the matches that a build of core worked in, or those of them that have been played
select
    coalesce(array_agg(distinct competition order by competition), '{}') as competitions,
    min(kickoff_on) as first_match_on, max(kickoff_on) as last_match_on, count(*) as n_matches
from core.match
where (%(is_full)s or match_id in (select match_id from ops.match_change where change_id > %(built_change_id)s))
    and (is_played or not %(is_played)s)
