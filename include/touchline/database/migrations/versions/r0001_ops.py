"""ops: runs, quality results, drift, lineage, audit; and the guard that makes tables append-only."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UPGRADE = """
create schema ops;
create schema landing;
create schema ledger;
grant usage on schema ops, landing, ledger to
    touchline_ingest, touchline_transform, touchline_model, touchline_api;

create table ops.world (
    is_simulated boolean primary key,
    first_source text not null,
    recorded_at timestamptz not null default clock_timestamp()
);
create unique index world_is_one on ops.world ((true));
comment on table ops.world is
    'One row: whether this database holds real or simulated football. The two never mix.';

create table ops.pipeline_run (
    run_id text not null,
    step text not null,
    as_of timestamptz not null,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    status text not null default 'running' check (status in ('running', 'success', 'failed')),
    detail jsonb not null default '{}',
    primary key (run_id, step)
);
create index pipeline_run_by_step on ops.pipeline_run (step, finished_at desc);
comment on table ops.pipeline_run is 'One row a run and step; a repeated step overwrites its row.';

create table ops.quality_result (
    quality_result_id bigint generated always as identity primary key,
    run_id text not null,
    gate text not null,
    suite text not null,
    expectation text not null,
    column_name text,
    severity text not null default 'block' check (severity in ('block', 'quarantine', 'warn')),
    success boolean not null,
    n_unexpected bigint,
    observed jsonb not null default '{}',
    as_of timestamptz not null,
    checked_at timestamptz not null default clock_timestamp()
);
create index quality_result_by_gate on ops.quality_result (gate, checked_at desc);

create table ops.drift_metric (
    drift_metric_id bigint generated always as identity primary key,
    run_id text not null,
    metric text not null,
    subject text not null,
    value double precision not null,
    threshold double precision,
    is_drift boolean not null default false,
    as_of timestamptz not null,
    measured_at timestamptz not null default clock_timestamp(),
    unique (metric, subject, as_of)
);

create table ops.lineage_edge (
    from_kind text not null,
    from_id text not null,
    to_kind text not null,
    to_id text not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (from_kind, from_id, to_kind, to_id)
);

create table ops.api_key (
    api_key_id uuid primary key default gen_random_uuid(),
    name text not null unique,
    key_hash bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz
);

create table ops.audit_log (
    audit_log_id bigint generated always as identity primary key,
    happened_at timestamptz not null default clock_timestamp(),
    actor text not null default session_user,
    action text not null,
    object text not null,
    reason text not null
);

create function ops.refuse_change() returns trigger language plpgsql as $$
declare
    reason text := nullif(current_setting('touchline.bypass_reason', true), '');
begin
    if reason is not null and pg_has_role(session_user, 'touchline_owner', 'member') then
        insert into ops.audit_log (action, object, reason)
        values (tg_op, format('%I.%I', tg_table_schema, tg_table_name), reason);
        return case tg_op when 'DELETE' then old when 'UPDATE' then new end;
    end if;
    raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, tg_op
        using errcode = 'insufficient_privilege',
        hint = 'Insert a newer observation instead. The owner may set touchline.bypass_reason for a repair '
            'that the law demands; it is recorded in ops.audit_log.';
end $$;

create function ops.make_append_only(target regclass, is_partition boolean default false)
returns void language plpgsql as $$
begin
    -- Row triggers reach every partition of a partitioned table; TRUNCATE triggers do not.
    if not is_partition then
        execute format(
            'create trigger refuse_change before update or delete on %s '
            'for each row execute function ops.refuse_change()', target);
    end if;
    execute format(
        'create trigger refuse_truncate before truncate on %s '
        'for each statement execute function ops.refuse_change()', target);
end $$;

-- The audit log guards itself without the bypass: nobody edits it.
create function ops.refuse_always() returns trigger language plpgsql as $$
begin
    raise exception 'ops.audit_log is append-only, without exception'
        using errcode = 'insufficient_privilege';
end $$;
create trigger refuse_change before update or delete or truncate on ops.audit_log
    for each statement execute function ops.refuse_always();

grant select on all tables in schema ops to touchline_ingest, touchline_transform, touchline_model;
grant select on ops.world, ops.pipeline_run, ops.quality_result, ops.drift_metric, ops.lineage_edge,
    ops.api_key to touchline_api;
grant select on public.alembic_version to touchline_api;
grant insert on ops.world to touchline_ingest;
grant insert, update on ops.pipeline_run to touchline_ingest, touchline_transform, touchline_model;
grant insert on ops.quality_result, ops.drift_metric, ops.lineage_edge
    to touchline_ingest, touchline_transform, touchline_model;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("drop schema ledger cascade; drop schema landing cascade; drop schema ops cascade")
