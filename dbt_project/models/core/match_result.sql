-- one row per played match: its result and statistics
{{ config(indexes=[{'columns': ['match_id'], 'unique': true}]) }}

with scores as (
    select * from {{ ref('stg_score_observation') }}
),

matches as (
    select * from {{ ref('match') }}
    where is_played
)

select
    matches.match_id,
    scores.home_goals,
    scores.away_goals,
    case
        when scores.home_goals > scores.away_goals then 'home'
        when scores.home_goals < scores.away_goals then 'away'
        else 'draw'
    end as outcome,
    scores.home_goals_half_time,
    scores.away_goals_half_time,
    scores.home_goals_extra_time,
    scores.away_goals_extra_time,
    scores.home_penalties,
    scores.away_penalties,
    scores.home_shots,
    scores.away_shots,
    scores.home_shots_on_target,
    scores.away_shots_on_target,
    scores.home_corners,
    scores.away_corners,
    scores.home_fouls,
    scores.away_fouls,
    scores.home_yellow_cards,
    scores.away_yellow_cards,
    scores.home_red_cards,
    scores.away_red_cards,
    scores.referee,
    scores.payload_id,
    scores.known_at
from scores
inner join matches on scores.fixture_key = matches.match_id
