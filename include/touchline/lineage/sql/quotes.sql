-- one row per bookmaker, market and line of a match: its last quote known when the features were made
select * from (
    select distinct on (bookmaker, market, line)
        bookmaker, market, line, price_home, price_draw, price_away, price_over, price_under, quoted_at, known_at,
        payload_id, row_number
    from landing.odds_observation as observation
    where fixture_key = %(match_id)s and not is_closing and known_at <= %(features_as_of)s and not exists (
        select from landing.set_aside as aside
        where aside.kind = 'quote' and aside.fixture_key = observation.fixture_key
            and aside.payload_id = observation.payload_id and aside.bookmaker = observation.bookmaker
            and aside.market = observation.market and aside.line = observation.line
            and aside.is_closing = observation.is_closing
    )
    order by bookmaker, market, line, known_at desc, observed_at desc,
        array_position(%(odds)s::text[], source), payload_id desc, quoted_at desc, row_number desc
) as versions
-- A version without prices withdraws the line.
where coalesce(price_home, price_over) is not null
order by bookmaker, market, line
