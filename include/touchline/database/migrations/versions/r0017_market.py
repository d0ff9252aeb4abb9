"""core: the market's probability, by the method of touchline.overround. ledger: what a forecast rests on."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

UPGRADE = """
create function core.without_overround(home double precision, draw double precision, away double precision)
returns double precision[]
language plpgsql immutable parallel safe as $$
declare
    log_home double precision;
    log_draw double precision;
    log_away double precision;
    exponent double precision := 1;
    excess double precision;
    p_home double precision;
    p_draw double precision;
    p_away double precision;
    total double precision;
begin
    if num_nulls(home, away) > 0 or least(home, draw, away) <= 1 or greatest(home, draw, away) >= 'Infinity' then
        return null;
    end if;
    log_home := -ln(home);
    log_draw := -ln(draw);
    log_away := -ln(away);
    -- Newton's steps, as in touchline.overround, which is this function's twin.
    for step in 1..60 loop
        excess := exp(exponent * log_home) + coalesce(exp(exponent * log_draw), 0) + exp(exponent * log_away) - 1;
        exit when abs(excess) < 1e-13;
        exponent := exponent - excess / (
            exp(exponent * log_home) * log_home + coalesce(exp(exponent * log_draw) * log_draw, 0)
            + exp(exponent * log_away) * log_away);
    end loop;
    p_home := exp(exponent * log_home);
    p_draw := exp(exponent * log_draw);
    p_away := exp(exponent * log_away);
    total := p_home + coalesce(p_draw, 0) + p_away;
    return array[p_home / total, p_draw / total, p_away / total];
end $$;
comment on function core.without_overround is 'Probabilities that sum to one, from decimal prices: of three outcomes, '
    'or of two with a null in the middle, which stays null. The overround is removed by the power method: '
    'p = (1 / price)^c, the c that makes them sum to one. Null without all prices above 1.';
alter function core.without_overround owner to touchline_transform;

-- Derived from what every row recorded, so that the oldest have it, too. The forecasts are those of
-- touchline.forecasting.specs that know prices.
alter table ledger.prediction add column rests_on text generated always as (
    case
        when forecast in ('with_odds', 'market') and num_nulls(
            features ->> 'market_price_home', features ->> 'market_price_draw', features ->> 'market_price_away'
        ) = 0 then 'prices'
        else 'ratings'
    end
) stored;
comment on column ledger.prediction.rests_on is
    'prices, when pre-match prices of the match were among the features of a forecast that knows prices; else ratings';
"""

DOWNGRADE = """
alter table ledger.prediction drop column rests_on cascade;
-- The views that read it went with it: the next build makes them again.
delete from ops.layer_build where layer = 'analytics';
drop function core.without_overround;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
