-- one row: the instant the warehouse knows everything up to, and the newest of each kind of fact
select
    {{ as_of() }} as as_of,
    (select max(known_at) from {{ ref('match_result') }}) as last_result_known_at,
    (select max(known_at) from {{ ref('match_odds') }}) as last_price_known_at,
    (
        select max(predicted_at) from {{ ref('prediction_history') }}
        where predicted_at <= {{ as_of() }}
    ) as last_predicted_at,
    (select max(settled_at) from {{ ref('settled_predictions') }}) as last_settled_at
