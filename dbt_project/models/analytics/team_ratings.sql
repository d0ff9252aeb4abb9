-- one row per team and rated match: its ratings after that match, as known now
select
    team_id,
    match_id,
    kickoff_at,
    elo,
    elo_shots,
    pi_home,
    pi_away,
    pi_home_shots,
    pi_away_shots,
    valid_from
from {{ source('ratings', 'team_rating') }}
where valid_to = {{ forever() }}
