-- one row per prediction whose match has a result that is not the one it was last settled with, or a closing price that
-- came, went or was corrected since
select
    prediction.prediction_id, prediction.role, prediction.p_home, prediction.p_draw, prediction.p_away,
    (prediction.features ->> 'market_price_home')::float8 as early_home,
    (prediction.features ->> 'market_price_draw')::float8 as early_draw,
    (prediction.features ->> 'market_price_away')::float8 as early_away,
    result.home_goals, result.away_goals, result.outcome,
    closing.price_home::float8 as closing_home, closing.price_draw::float8 as closing_draw,
    closing.price_away::float8 as closing_away,
    coalesce(last.revision, 0) + 1 as revision,
    (last.home_goals, last.away_goals) is distinct from (result.home_goals, result.away_goals) as is_other_result,
    last.p_closing_home as last_home, last.p_closing_draw as last_draw, last.p_closing_away as last_away
from ledger.prediction
inner join core.match_result as result using (match_id)
left join core.match_odds as closing
    on closing.match_id = prediction.match_id and closing.bookmaker = 'consensus' and closing.market = '1x2'
    and closing.stage = 'closing' and closing.known_at <= %(as_of)s
left join lateral (
    select revision, home_goals, away_goals, p_closing_home, p_closing_draw, p_closing_away, settled_at
    from ledger.prediction_outcome as outcome
    where outcome.prediction_id = prediction.prediction_id
    order by revision desc limit 1
) as last on true
where result.known_at <= %(as_of)s and prediction.predicted_at <= %(as_of)s
    and (
        (last.home_goals, last.away_goals) is distinct from (result.home_goals, result.away_goals)
        or (last.p_closing_home is null) <> (closing.price_home is null)
        or closing.known_at > last.settled_at
    )
order by prediction.prediction_id
