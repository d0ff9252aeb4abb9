-- one row per team: its ratings after the last rated match
with ratings as (
    select distinct on (team_id) *
    from {{ ref('team_ratings') }}
    order by team_id, kickoff_at desc, match_id desc
),

teams as (
    select * from {{ ref('team') }}
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
from ratings
inner join teams on ratings.team_id = teams.team_id
