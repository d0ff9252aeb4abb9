-- one row: the schema's revision, whether there is anything to read, and how far the pipeline came
select
    (select version_num from public.alembic_version) as revision,
    to_regclass('core.match') is not null and to_regclass('analytics.source_health') is not null as is_built,
    (select max(predicted_at) from ledger.prediction) as last_predicted_at,
    (select max(as_of) from ops.pipeline_run) as last_as_of
