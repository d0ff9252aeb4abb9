-- one row per played match: its result and statistics
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'changed'},
    indexes=[{'columns': ['match_id'], 'unique': true}],
) }}

with scores as (
    select * from {{ ref('stg_score_observation') }}
),

versions as (
    select * from {{ ref('match_version') }}
    where
        valid_to = {{ forever() }} and is_played
        {% if is_incremental() %}and {{ is_changed('match_id') }}{% endif %}
)

select
    versions.match_id,
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
from versions
inner join scores
    on versions.match_id = scores.fixture_key and versions.score_payload_id = scores.payload_id
