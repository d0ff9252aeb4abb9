-- one row per match, bookmaker, market and line: the first quote that we saw before kick-off
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'changed'},
    indexes=[{'columns': ['match_id', 'market', 'bookmaker', 'line'], 'unique': true}],
) }}

with observations as (
    select * from {{ ref('stg_odds_observation') }}
    where
        not is_closing
        and coalesce(price_home, price_over) is not null
        {% if is_incremental() %}and {{ is_changed('fixture_key') }}{% endif %}
),

matches as (
    select
        match_id,
        kickoff_at
    from {{ ref('match') }}
),

-- What a publisher's timetable dates before kick-off and we saw later opened at a price that nobody saw.
seen as (
    select
        observations.*,
        {{ seen_at('observations') }} as seen_at
    from observations
    inner join matches on observations.fixture_key = matches.match_id
    where {{ seen_at('observations') }} <= {{ last_minute('matches.kickoff_at') }}
)

select distinct on (fixture_key, bookmaker, market, line)
    fixture_key as match_id,
    bookmaker,
    market,
    line,
    price_home,
    price_draw,
    price_away,
    price_over,
    price_under,
    quoted_at,
    seen_at as known_at,
    coalesce(1 / price_home, 0) + coalesce(1 / price_draw, 0) + coalesce(1 / price_away, 0)
    + coalesce(1 / price_over, 0) + coalesce(1 / price_under, 0) as overround
from seen
order by fixture_key, bookmaker, market, line, seen_at, quoted_at, {{ source_rank('odds') }}, payload_id
