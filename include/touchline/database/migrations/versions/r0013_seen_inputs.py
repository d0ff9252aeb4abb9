"""One ledger of what each consumer of landing has seen, in place of one for builds and one for gates."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

UPGRADE = """
create view landing.input as
select 'payload' as kind, payload_id as input_id, payload_id, payload.observed_at, payload.observed_at as used_from,
    null::timestamptz as known_since
from landing.payload_parsed inner join landing.payload using (payload_id)
union all
select 'replay', payload_replayed_id, payload_id, payload.observed_at, replayed.observed_at, replayed.observed_at
from landing.payload_replayed as replayed inner join landing.payload using (payload_id);
comment on view landing.input is 'What can be read from landing: parsed payloads, and replays of rows that waited. '
    'used_from is the instant from which it can be used; of a replay only facts known since known_since are new.';
grant select on landing.input to touchline_ingest, touchline_transform, touchline_model;

create table ops.seen_input (
    consumer text not null check (consumer in ('build_core', 'check_landing', 'check_core', 'check_features')),
    kind text not null check (kind in ('payload', 'replay', 'quarantine')),
    input_id bigint not null,
    as_of timestamptz not null,
    seen_at timestamptz not null default clock_timestamp(),
    primary key (consumer, kind, input_id)
);
comment on table ops.seen_input is 'What each step has read of landing and need not read again: parsed payloads, '
    'replays, and facts set aside. as_of is the earliest instant as of which the step did.';
grant select, insert, update, delete on ops.seen_input to touchline_transform;
grant select on ops.seen_input to touchline_ingest, touchline_model, touchline_api;

insert into ops.seen_input (consumer, kind, input_id, as_of, seen_at)
select 'check_' || gate, kind, input_id, as_of, screened_at from ops.screened_input;
insert into ops.seen_input (consumer, kind, input_id, as_of)
select 'build_core', built.kind, built.input_id, layer.as_of
from ops.built_input as built cross join ops.layer_build as layer
where layer.layer = 'core';
drop table ops.screened_input, ops.built_input;
"""

DOWNGRADE = """
create table ops.built_input (
    kind text not null check (kind in ('payload', 'replay', 'quarantine')),
    input_id bigint not null,
    change_id bigint not null,
    primary key (kind, input_id)
);
comment on table ops.built_input is 'Payloads, replays and facts set aside whose matches are in ops.match_change.';
grant select, insert, update, delete, truncate on ops.built_input to touchline_transform;
grant select on ops.built_input to touchline_ingest, touchline_model;
insert into ops.built_input (kind, input_id, change_id)
select seen.kind, seen.input_id, layer.change_id
from ops.seen_input as seen cross join ops.layer_build as layer
where seen.consumer = 'build_core' and layer.layer = 'core';

create table ops.screened_input (
    gate text not null,
    kind text not null check (kind in ('payload', 'replay')),
    input_id bigint not null,
    as_of timestamptz not null,
    run_id text not null,
    screened_at timestamptz not null default clock_timestamp(),
    primary key (gate, kind, input_id)
);
comment on table ops.screened_input is 'Payloads and replays that a gate has looked at and need not look at again; '
    'as_of is the earliest instant as of which it did.';
grant select, insert, update on ops.screened_input to touchline_transform;
grant select on ops.screened_input to touchline_ingest, touchline_model, touchline_api;
insert into ops.screened_input (gate, kind, input_id, as_of, run_id, screened_at)
select replace(consumer, 'check_', ''), kind, input_id, as_of, 'unknown', seen_at
from ops.seen_input where consumer like 'check_%';
drop table ops.seen_input;
drop view landing.input;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
