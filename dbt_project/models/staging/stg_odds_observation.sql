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
where
    known_at <= {{ as_of() }}
    and not exists (
        select from {{ source('landing', 'quarantined_fact') }} as aside
        where
            aside.kind = 'quote'
            and aside.fixture_key = observation.fixture_key
            and aside.payload_id = observation.payload_id
            and aside.bookmaker = observation.bookmaker
            and aside.market = observation.market
            and aside.line = observation.line
            and aside.is_closing = observation.is_closing
    )
