"""How long a provider wants to be left alone, and what operators were told."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

UPGRADE = """
alter table ops.source_state add column asked_until timestamptz;
comment on column ops.source_state.asked_until is 'The source has asked not to be called before this (wall clock); '
    'null when it never did.';

create table ops.notice (
    notice_id bigint generated always as identity primary key,
    cause text not null,
    dag_id text not null,
    task_id text not null,
    run_id text not null,
    error text not null,
    sample text[] not null,
    what_to_do text not null,
    link text not null,
    n_times integer not null default 1,
    opened_at timestamptz not null default clock_timestamp(),
    last_at timestamptz not null default clock_timestamp(),
    closed_at timestamptz,
    told_by text[] not null default '{}'
);
comment on table ops.notice is 'One row a cause for which operators are alerted, from its first failure until the task '
    'succeeds again: it is told once by each channel, however often it comes.';
comment on column ops.notice.cause is 'DAG, task and kind of error; of open notices no two have the same.';
comment on column ops.notice.task_id is 'Empty where the run as a whole is meant.';
comment on column ops.notice.sample is 'The first lines of the error after its first: rows, or problems.';
comment on column ops.notice.n_times is 'How often it has come while it was open.';
comment on column ops.notice.told_by is 'The channels that have delivered it.';
create unique index notice_open on ops.notice (cause) where closed_at is null;
grant select on ops.notice to touchline_transform, touchline_model, touchline_api;
grant select, insert, update on ops.notice to touchline_ingest;
"""

DOWNGRADE = """
drop table ops.notice;
alter table ops.source_state drop column asked_until;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
