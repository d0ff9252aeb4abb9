-- one row per competition, month of the kick-off (UTC) and band of the favourite's probability, and one for all: how settled
-- predictions scored. `confidence` counts the bands from 0, those below the first limit.
-- $1 role, $2 forecast, $3 competition, $4 season, $5 limits of the bands
with settled as (
    select
        *, to_char(kickoff_at, 'YYYY-MM') as month, greatest(p_home, p_draw, p_away) as p_favourite,
        width_bucket(greatest(p_home, p_draw, p_away), $5::float8[]) as confidence
    from analytics.settled_predictions
    where role = $1
        and ($2::text is null or forecast = $2)
        and ($3::text is null or competition = $3)
        and ($4::text is null or season = $4)
)

select
    competition, month, confidence, count(*)::int as n, avg(rps) as rps, avg(log_loss) as log_loss, avg(brier) as brier,
    avg(p_favourite) as p_favourite, avg(is_correct::int)::float8 as accuracy,
    count(closing_log_loss)::int as n_with_closing, avg(log_loss - closing_log_loss) as log_loss_behind_closing,
    count(closing_line_value)::int as n_with_line_value, avg(closing_line_value) as closing_line_value
from settled
group by grouping sets ((competition), (month), (confidence), ())
order by competition, month, confidence
