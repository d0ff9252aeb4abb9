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
    source,
    payload_id,
    quoted_at,
    observed_at,
    known_at,
    -- Its files say of a price only whether it is from before the close. The publisher's timetable dates it: quoted_at.
    source = 'football_data_uk' as is_dated_by_timetable
from {{ source('landing', 'odds_observation') }} as observation
where known_at <= {{ as_of() }} and {{ not_set_aside('quote', ['bookmaker', 'market', 'line', 'is_closing']) }}
