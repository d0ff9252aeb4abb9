-- one row per fixture and outcome: the champion's probability times the best price on offer, best first
with upcoming as (
    select * from {{ ref('upcoming_predictions') }}
)

select
    upcoming.match_id,
    upcoming.kickoff_at,
    upcoming.competition,
    upcoming.home_team,
    upcoming.away_team,
    upcoming.rests_on,
    offered.outcome,
    offered.p,
    1 / nullif(offered.p, 0) as fair_price,
    offered.best_price,
    offered.p * offered.best_price - 1 as expected_return,
    upcoming.is_simulated
from upcoming
cross join
    lateral (
        values
        ('home', upcoming.p_home, upcoming.best_price_home),
        ('draw', upcoming.p_draw, upcoming.best_price_draw),
        ('away', upcoming.p_away, upcoming.best_price_away)
    ) as offered (outcome, p, best_price)
where offered.best_price is not null
