-- one row per competition with matches: how far its results, prices and predictions have come
with matches as not materialized (
    select * from {{ ref('matches') }}
),

predicted as (
    select distinct match_id from {{ ref('prediction_history') }}
    where role = 'champion' and predicted_at <= {{ as_of() }} and kickoff_at > {{ as_of() }}
),

so_far as (
    select
        competition,
        competition_name,
        country,
        is_simulated,
        max(kickoff_at) filter (where is_played) as last_kickoff_at,
        max(result_known_at) as last_result_known_at,
        -- Ninety minutes, half-time and extra time, and the source's own delay.
        count(*) filter (
            where status in ('scheduled', 'in_play') and kickoff_at <= {{ as_of() }} - interval '6 hours'
        ) as n_overdue_results
    from matches
    group by competition, competition_name, country, is_simulated
),

ahead as (
    select
        matches.competition,
        min(matches.kickoff_at) as next_kickoff_at,
        count(*) as n_upcoming,
        -- A match beyond the horizon has neither yet.
        count(*) filter (
            where matches.price_home is null and matches.kickoff_at <= {{ horizon_end() }}
        ) as n_upcoming_without_price,
        count(*) filter (
            where predicted.match_id is null and matches.kickoff_at <= {{ horizon_end() }}
        ) as n_upcoming_without_prediction
    from matches
    left join predicted on matches.match_id = predicted.match_id
    where matches.status = 'scheduled' and matches.kickoff_at > {{ as_of() }}
    group by matches.competition
)

select
    so_far.competition,
    so_far.competition_name,
    so_far.country,
    {{ as_of() }} as as_of,
    so_far.last_kickoff_at,
    so_far.last_result_known_at,
    so_far.n_overdue_results,
    ahead.next_kickoff_at,
    coalesce(ahead.n_upcoming, 0) as n_upcoming,
    coalesce(ahead.n_upcoming_without_price, 0) as n_upcoming_without_price,
    coalesce(ahead.n_upcoming_without_prediction, 0) as n_upcoming_without_prediction,
    so_far.is_simulated
from so_far
left join ahead on so_far.competition = ahead.competition
