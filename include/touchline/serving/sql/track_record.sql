-- one row per forecast and role: its scores over all months
select
    forecast, role, sum(n)::int as n, sum(rps * n) / sum(n) as rps, sum(log_loss * n) / sum(n) as log_loss,
    sum(accuracy * n) / sum(n) as accuracy, sum(n_with_closing)::int as n_with_closing,
    sum(log_loss_behind_closing * n_with_closing) / nullif(sum(n_with_closing), 0) as log_loss_behind_closing
from analytics.track_record
group by forecast, role
order by role = 'champion' desc, log_loss
