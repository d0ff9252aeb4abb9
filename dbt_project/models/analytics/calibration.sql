-- one row per model, forecast, outcome and tenth of probability: what was said against what happened
with settled as (
    select * from {{ ref('settled_predictions') }}
),

said as (
    select
        settled.model_name,
        settled.forecast,
        settled.role,
        settled.is_simulated,
        stated.outcome,
        stated.p,
        (settled.outcome = stated.outcome)::int as happened
    from settled
    cross join lateral (
        values ('home', settled.p_home), ('draw', settled.p_draw), ('away', settled.p_away)
    ) as stated (outcome, p)
)

select
    model_name,
    forecast,
    role,
    is_simulated,
    outcome,
    least(floor(p * 10), 9)::int as tenth,
    count(*) as n,
    avg(p) as p_said,
    avg(happened)::double precision as p_happened
from said
group by model_name, forecast, role, is_simulated, outcome, least(floor(p * 10), 9)
