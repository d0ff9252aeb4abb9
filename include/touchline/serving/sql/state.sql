-- one row: the schema's revision, and whether there is anything to read
select
    (select version_num from public.alembic_version) as revision,
    to_regclass('core.match') is not null and to_regclass('analytics.source_health') is not null as is_built
