-- one row per pair of teams and meeting: the last six meetings up to and including that one
{{ config(indexes=[
    {'columns': ['first_team_id', 'second_team_id', 'match_id'], 'unique': true},
    {'columns': ['first_team_id', 'second_team_id', 'valid_from']},
]) }}

with matches as (
    select * from {{ ref('match') }}
),

results as (
    select * from {{ ref('match_result') }}
),

-- Seen from the team with the smaller id, so that both venues meet in one series.
meetings as (
    select
        least(matches.home_team_id, matches.away_team_id) as first_team_id,
        greatest(matches.home_team_id, matches.away_team_id) as second_team_id,
        matches.match_id,
        matches.kickoff_at,
        results.known_at,
        case
            when matches.home_team_id < matches.away_team_id then results.home_goals - results.away_goals
            else results.away_goals - results.home_goals
        end as goal_difference
    from matches
    inner join results on matches.match_id = results.match_id
),

scored as (
    select
        *,
        case when goal_difference > 0 then 3 when goal_difference = 0 then 1 else 0 end as first_points,
        case when goal_difference < 0 then 3 when goal_difference = 0 then 1 else 0 end as second_points
    from meetings
)

select
    first_team_id,
    second_team_id,
    match_id,
    kickoff_at,
    max(known_at) over (
        partition by first_team_id, second_team_id order by kickoff_at, match_id
        rows between unbounded preceding and current row
    ) as valid_from,
    count(*) over last_6 as n_matches,
    sum(first_points) over last_6::double precision / count(*) over last_6 as first_points_mean,
    sum(second_points) over last_6::double precision / count(*) over last_6 as second_points_mean,
    sum(goal_difference) over last_6::double precision / count(*) over last_6 as first_goal_difference_mean
from scored
window last_6 as (
    partition by first_team_id, second_team_id order by kickoff_at, match_id
    rows between 5 preceding and current row
)
