-- one row per team: its ratings after the last rated match
with teams as (
    select * from {{ ref('team') }}
),

ratings as (
    select * from {{ source('ratings', 'team_rating') }}
    where valid_to = {{ forever() }}
)

select
    teams.team_id,
    teams.name,
    teams.country,
    ratings.elo,
    ratings.elo_shots,
    ratings.pi_home,
    ratings.pi_away,
    ratings.pi_home_shots,
    ratings.pi_away_shots,
    ratings.kickoff_at as last_kickoff_at,
    ratings.valid_from,
    teams.is_simulated
from teams
inner join lateral (
    select ratings.*
    from ratings
    where ratings.team_id = teams.team_id
    order by ratings.kickoff_at desc, ratings.match_id desc
    limit 1
) as ratings on true
