-- one row per competition with matches: how far its results, prices and predictions have come, as of the last build
select
    health.competition, health.competition_name as name, health.country, competition.tier, health.last_kickoff_at,
    health.last_result_known_at, health.n_overdue_results, health.next_kickoff_at, health.n_upcoming,
    health.n_upcoming_without_price, health.n_upcoming_without_prediction, health.is_simulated
from analytics.competition_health as health
inner join core.competition as competition on competition.competition = health.competition
