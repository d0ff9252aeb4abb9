-- one row per settled prediction with a closing price: how far the market moved towards the forecast's favourite
with settled as (
    select * from {{ ref('settled_predictions') }}
)

select
    prediction_id,
    match_id,
    competition,
    season,
    kickoff_at,
    model_name,
    model_version,
    forecast,
    role,
    case
        when p_home >= p_draw and p_home >= p_away then 'home'
        when p_away >= p_draw then 'away'
        else 'draw'
    end as favourite,
    greatest(p_home, p_draw, p_away) as p_favourite,
    case
        when p_home >= p_draw and p_home >= p_away then p_closing_home
        when p_away >= p_draw then p_closing_away
        else p_closing_draw
    end as p_closing_favourite,
    closing_line_value,
    is_simulated
from settled
where p_closing_home is not null
