-- one row per forecast and role: its scores over all settled predictions, those nearest to the champion or ahead first.
-- The market is silent on the matches without prices, which are hard: only differences on the same matches rank.
with settled as (
    select * from analytics.settled_predictions
),

champion as (
    select distinct on (match_id) match_id, log_loss from settled
    where role = 'champion'
    order by match_id, predicted_at desc, prediction_id desc
)

select
    settled.forecast, settled.role, count(*)::int as n, avg(settled.rps) as rps, avg(settled.log_loss) as log_loss,
    avg(settled.is_correct::int)::float8 as accuracy,
    count(champion.log_loss)::int as n_with_champion,
    avg(settled.log_loss - champion.log_loss) as log_loss_behind_champion,
    count(settled.closing_log_loss)::int as n_with_closing,
    avg(settled.log_loss - settled.closing_log_loss) as log_loss_behind_closing
from settled
left join champion using (match_id)
group by settled.forecast, settled.role
order by log_loss_behind_champion, settled.role = 'champion' desc, log_loss
