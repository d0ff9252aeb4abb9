-- one row per version of a quote known as of the build, without those set aside
select
    fixture_key,
    bookmaker,
    market,
    line,
    is_closing,
    price_home,
    price_draw,
    price_away,
    price_over,
    price_under,
    payload_id,
    quoted_at,
    observed_at,
    known_at
from {{ source('landing', 'odds_observation') }} as observation
where known_at <= {{ as_of() }} and {{ not_set_aside('quote', ['bookmaker', 'market', 'line', 'is_closing']) }}
