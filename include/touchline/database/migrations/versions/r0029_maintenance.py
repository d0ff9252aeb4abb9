"""When operators are at work and nobody is to be alerted: declared, never changed, ended by a row of its own."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

UPGRADE = """
create table ops.maintenance (
    maintenance_id bigint generated always as identity primary key,
    reason text not null check (reason <> ''),
    declared_by text not null check (declared_by <> ''),
    starts_at timestamptz not null,
    ends_at timestamptz not null check (ends_at > starts_at)
);
comment on table ops.maintenance is 'One row a declared maintenance, by the wall clock: while it lasts operators are '
    'alerted of nothing. It ends at ends_at, or with a row in ops.maintenance_end before that.';
create table ops.maintenance_end (
    maintenance_id bigint primary key references ops.maintenance,
    ended_by text not null check (ended_by <> ''),
    ended_at timestamptz not null
);
comment on table ops.maintenance_end is 'One row a maintenance that was ended before its time.';
select ops.make_append_only('ops.maintenance');
select ops.make_append_only('ops.maintenance_end');

create view ops.maintenance_window as
select
    maintenance.maintenance_id, maintenance.reason, maintenance.declared_by, maintenance.starts_at,
    least(maintenance.ends_at, ended.ended_at) as ends_at, ended.ended_by
from ops.maintenance
left join ops.maintenance_end as ended using (maintenance_id);
comment on view ops.maintenance_window is 'One row a maintenance, with when it really ends or ended.';
grant select on ops.maintenance, ops.maintenance_end, ops.maintenance_window
    to touchline_ingest, touchline_transform, touchline_model, touchline_api, touchline_metrics;
"""

DOWNGRADE = """
drop view ops.maintenance_window;
drop table ops.maintenance_end;
drop table ops.maintenance;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
