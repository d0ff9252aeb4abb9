-- one row per id of a version that was trained: what it learned from, how it did on held-out matches, and what was decided.
-- $1 ids, as name/version; $2 what it is for; $3 its limits; $4 present
with learned as (
    select
        to_id as key, split_part(to_id, '/', 1) as model_name, split_part(to_id, '/', 2) as model_version, detail
    from ops.lineage_edge
    where from_kind = 'training_set' and to_kind = 'model_version' and to_id = any($1::text[])
),

decided as (
    select distinct on (key)
        (report ->> 'model_name') || '/' || (report ->> 'version') as key,
        json_build_object(
            'state', report ->> 'state', 'reason', report ->> 'reason', 'decided_at', run.as_of, 'run_id', run.run_id
        ) as decision
    from ops.pipeline_run as run
    cross join lateral (values (run.detail), (run.detail -> 'challenger')) as said (report)
    where run.step = 'train' and run.status = 'success'
        and (report ->> 'model_name') || '/' || (report ->> 'version') = any($1::text[])
    order by key, run.finished_at desc
)

select
    learned.key, learned.model_name, learned.model_version, learned.detail ->> 'primary' as forecast,
    $2::text as intended_use, to_json($3::text[]) as limits,
    (learned.detail ->> 'as_of')::timestamptz as trained_at,
    (learned.detail ->> 'trained_from')::timestamptz as first_kickoff_at,
    (learned.detail ->> 'trained_until')::timestamptz as last_kickoff_at,
    (learned.detail ->> 'n_matches')::int as n_matches, (learned.detail ->> 'n_features')::int as n_features,
    to_json(string_to_array(learned.detail ->> 'competitions', ',')) as competitions,
    learned.detail ->> 'dataset_digest' as dataset_digest, learned.detail ->> 'code_version' as code_version,
    learned.detail -> 'parameters' as parameters, (learned.detail ->> 'n_held_out')::int as n_held_out,
    coalesce((
        select json_agg(
            json_build_object(
                'forecast', held_out.forecast, 'rps', scores -> 'rps', 'log_loss', scores -> 'log_loss',
                'brier', scores -> 'brier', 'accuracy', scores -> 'accuracy'
            )
            order by (scores ->> 'log_loss')::float8, held_out.forecast
        )
        from jsonb_each(learned.detail -> 'scores') as held_out (forecast, scores)
    ), '[]') as held_out,
    decided.decision,
    reign.first_predicted_at as first_champion_at, reign.last_predicted_at as last_champion_at,
    (learned.detail ->> 'is_simulated')::boolean as is_simulated
from learned
left join decided on decided.key = learned.key
left join lateral (
    select min(predicted_at) as first_predicted_at, max(predicted_at) as last_predicted_at
    from ledger.prediction
    where model_name = learned.model_name and model_version = learned.model_version and role = 'champion'
        and predicted_at <= $4
) as reign on true
