-- one row per match with an id or that kicks off within a stretch of time, whichever is given
with known as (
    select match_id, competition, kickoff_at, home_team, away_team, status
    from core.match
    union all
    -- Fixtures that never became a match are in the view alone.
    select match_id, competition, kickoff_at, home_team, away_team, reason
    from analytics.unpredicted as unpredicted
    where not exists (select from core.match as match where match.match_id = unpredicted.match_id)
)

select *
from known
where match_id = %(match_id)s or kickoff_at >= %(first)s and kickoff_at < %(last)s
order by kickoff_at, home_team
