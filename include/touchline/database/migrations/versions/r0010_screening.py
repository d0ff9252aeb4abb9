"""quality: which payloads and replays a gate has looked at, and every try of a gate in one run."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UPGRADE = """
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

-- What a gate had passed before is not looked at again.
insert into ops.screened_input (gate, kind, input_id, as_of, run_id)
select passed.gate, 'payload', payload_id, payload.observed_at, passed.run_id
from (
    select distinct on (gate) gate, run_id, (observed ->> 'newest_payload_id')::bigint as newest_payload_id
    from ops.quality_result
    where suite = 'gate' and success and gate in ('landing', 'core', 'features')
    order by gate, quality_result_id desc
) as passed
inner join landing.payload on payload_id <= passed.newest_payload_id
inner join landing.payload_parsed using (payload_id);

alter table ops.rule_result add column attempt integer not null default 1;
alter table ops.rule_result add column row_keys text[] not null default '{}';
alter table ops.rule_result drop constraint rule_result_pkey;
alter table ops.rule_result add primary key (run_id, rule, competition, attempt);
comment on column ops.rule_result.attempt is 'A gate that is tried again in the same run counts anew; the last '
    'attempt is what the run says.';
comment on column ops.rule_result.row_keys is 'For a rule that holds competitions: the matches that broke it, by '
    'names that stay the same from run to run.';
"""

DOWNGRADE = """
alter table ops.rule_result disable trigger user;
delete from ops.rule_result as earlier
where exists (
    select from ops.rule_result as later
    where later.run_id = earlier.run_id and later.rule = earlier.rule and later.competition = earlier.competition
        and later.attempt > earlier.attempt
);
alter table ops.rule_result enable trigger user;
alter table ops.rule_result drop constraint rule_result_pkey;
alter table ops.rule_result drop column attempt, drop column row_keys;
alter table ops.rule_result add primary key (run_id, rule, competition);
drop table ops.screened_input;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
