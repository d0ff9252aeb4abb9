"""Facts that a release accepts are used again, and nothing counts as known before it was published."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

UPGRADE = """
create table landing.accepted_fact (
    quarantined_fact_id bigint primary key references landing.quarantined_fact,
    competition_hold_id bigint not null references ops.competition_hold,
    accepted_as_of timestamptz not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp()
);
comment on table landing.accepted_fact is 'Quarantined facts of the rows that a person accepted when a hold was '
    'released: used as if they had never been set aside.';
select ops.make_append_only('landing.accepted_fact'::regclass);
grant select, insert on landing.accepted_fact to touchline_transform;
grant select on landing.accepted_fact to touchline_ingest, touchline_model;

create view landing.set_aside as
select quarantined_fact.* from landing.quarantined_fact
where not exists (
    select from landing.accepted_fact as accepted
    where accepted.quarantined_fact_id = quarantined_fact.quarantined_fact_id
);
comment on view landing.set_aside is 'Quarantined facts that nobody has accepted: nothing is built on them.';
grant select on landing.set_aside to touchline_ingest, touchline_transform, touchline_model;

create or replace view landing.input as
select 'payload' as kind, payload_id as input_id, payload_id, payload.observed_at, payload.observed_at as used_from,
    null::timestamptz as known_since
from landing.payload_parsed inner join landing.payload using (payload_id)
union all
select 'replay', payload_replayed_id, payload_id, payload.observed_at, replayed.observed_at, replayed.observed_at
from landing.payload_replayed as replayed inner join landing.payload using (payload_id)
union all
select 'acceptance', quarantined_fact_id, payload_id, payload.observed_at, accepted_as_of, null
from landing.accepted_fact inner join landing.quarantined_fact using (quarantined_fact_id)
inner join landing.payload using (payload_id);
comment on view landing.input is 'What can be read from landing: parsed payloads, replays of rows that waited, and '
    'payloads with facts that were accepted. used_from is the instant from which it can be used; of a replay only '
    'facts known since known_since are new.';
alter table ops.seen_input drop constraint seen_input_kind_check,
    add constraint seen_input_kind_check check (kind in ('payload', 'replay', 'quarantine', 'acceptance'));

-- What landed before stays as it was.
alter table landing.fixture_observation
    add constraint known_once_published check (known_at >= published_at) not valid;
alter table landing.score_observation
    add constraint known_once_published check (known_at >= published_at) not valid;
"""

DOWNGRADE = """
alter table landing.score_observation drop constraint known_once_published;
alter table landing.fixture_observation drop constraint known_once_published;
create or replace view landing.input as
select 'payload' as kind, payload_id as input_id, payload_id, payload.observed_at, payload.observed_at as used_from,
    null::timestamptz as known_since
from landing.payload_parsed inner join landing.payload using (payload_id)
union all
select 'replay', payload_replayed_id, payload_id, payload.observed_at, replayed.observed_at, replayed.observed_at
from landing.payload_replayed as replayed inner join landing.payload using (payload_id);
comment on view landing.input is 'What can be read from landing: parsed payloads, and replays of rows that waited. '
    'used_from is the instant from which it can be used; of a replay only facts known since known_since are new.';
delete from ops.seen_input where kind = 'acceptance';
alter table ops.seen_input drop constraint seen_input_kind_check,
    add constraint seen_input_kind_check check (kind in ('payload', 'replay', 'quarantine'));
-- The views that read it go with it: the next build makes them again.
drop view landing.set_aside cascade;
drop table landing.accepted_fact;
delete from ops.layer_build where layer = 'analytics';
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
