-- one row per competition with matches: how far its results, prices and predictions have come
with matches as (
    select * from {{ ref('matches') }}
),

predicted as (
    select distinct match_id from {{ ref('prediction_history') }}
    where role = 'champion' and predicted_at <= {{ as_of() }} and kickoff_at > {{ as_of() }}
),

marked as (
    select
        matches.*,
        predicted.match_id is not null as is_predicted,
        matches.status = 'scheduled' and matches.kickoff_at > {{ as_of() }} as is_upcoming,
        -- Ninety minutes, half-time and extra time, and the source's own delay.
        matches.status in ('scheduled', 'in_play') and matches.kickoff_at <= {{ as_of() }} - interval '6 hours'
            as is_overdue
    from matches
    left join predicted on matches.match_id = predicted.match_id
)

select
    competition,
    competition_name,
    country,
    {{ as_of() }} as as_of,
    max(kickoff_at) filter (where is_played) as last_kickoff_at,
    max(result_known_at) as last_result_known_at,
    count(*) filter (where is_overdue) as n_overdue_results,
    min(kickoff_at) filter (where is_upcoming) as next_kickoff_at,
    count(*) filter (where is_upcoming) as n_upcoming,
    count(*) filter (where is_upcoming and price_home is null) as n_upcoming_without_price,
    count(*) filter (where is_upcoming and not is_predicted) as n_upcoming_without_prediction,
    is_simulated
from marked
group by competition, competition_name, country, is_simulated
