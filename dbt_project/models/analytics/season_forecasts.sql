-- one row per forecast of a competition's season and team: how the season may end, and how it did once that is known
with forecasts as (
    select * from {{ ref('stg_season_forecast') }}
),

outcomes as (
    select * from {{ ref('stg_season_outcome') }}
),

competitions as (
    select * from {{ ref('competition') }}
)

select
    forecasts.forecast_id,
    forecasts.competition,
    competitions.name as competition_name,
    forecasts.season,
    forecasts.team_id,
    forecasts.team,
    forecasts.forecast_at,
    -- A night can have two, by two champions: the last one written counts.
    row_number() over of_team = 1 as is_latest,
    forecasts.model_name,
    forecasts.model_version,
    forecasts.n_simulations,
    forecasts.strength_deviation,
    forecasts.n_played,
    forecasts.n_left,
    forecasts.points,
    forecasts.expected_points,
    forecasts.points_low,
    forecasts.points_high,
    forecasts.p_title,
    forecasts.p_champions_league,
    forecasts.p_europe,
    forecasts.p_championship_play_off,
    forecasts.p_promotion,
    forecasts.p_promotion_play_off,
    forecasts.p_relegation_play_off,
    forecasts.p_relegation,
    forecasts.not_simulated,
    outcomes.place as final_place,
    outcomes.points as final_points,
    array_to_string(outcomes.reached, ', ') as reached,
    power(forecasts.p_title - ('title' = any(outcomes.reached))::int, 2) as brier_title,
    power(forecasts.p_relegation - ('relegation' = any(outcomes.reached))::int, 2) as brier_relegation,
    outcomes.settled_at,
    forecasts.clock,
    forecasts.is_simulated
from forecasts
inner join competitions on forecasts.competition = competitions.competition
left join outcomes
    on
        forecasts.competition = outcomes.competition
        and forecasts.season = outcomes.season
        and forecasts.team_id = outcomes.team_id
window of_team as (
    partition by forecasts.competition, forecasts.season, forecasts.team_id
    order by forecasts.forecast_at desc, forecasts.forecast_id desc
)
