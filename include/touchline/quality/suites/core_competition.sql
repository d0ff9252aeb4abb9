-- one row per competition: its last eight weeks against the three years before them, in standard errors
with judged as (
    select
        competition, (home_goals + away_goals) as goals, (outcome = 'home')::int as is_home_win,
        match.kickoff_at > %(as_of)s::timestamptz - interval '56 days' as is_recent
    from core.match_result
    inner join core.match using (match_id)
    where match.kickoff_at > %(as_of)s::timestamptz - interval '3 years'
),

compared as (
    select
        competition,
        count(*) filter (where is_recent) as n_recent,
        count(*) filter (where not is_recent) as n_before,
        avg(goals) filter (where is_recent)::float8 as goals_recent,
        avg(goals) filter (where not is_recent)::float8 as goals_before,
        stddev_samp(goals) filter (where not is_recent)::float8 as deviation,
        avg(is_home_win) filter (where is_recent)::float8 as home_recent,
        avg(is_home_win) filter (where not is_recent)::float8 as home_before
    from judged
    group by competition
)

select
    competition as row_key, competition,
    (goals_recent - goals_before) / nullif(deviation / sqrt(n_recent), 0) as goals_z,
    (home_recent - home_before) / nullif(sqrt(home_before * (1 - home_before) / n_recent), 0) as home_win_z
from compared
where n_recent >= 10 and n_before >= 50
