"""quality: what each rule found, and competitions that are held."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UPGRADE = """
create table ops.rule_result (
    run_id text not null,
    rule text not null,
    competition text not null default '',
    severity text not null check (severity in ('block', 'quarantine', 'warn', 'fill')),
    n bigint not null check (n > 0),
    samples text[] not null,
    as_of timestamptz not null,
    checked_at timestamptz not null default clock_timestamp(),
    primary key (run_id, rule, competition)
);
comment on table ops.rule_result is 'One row a run, rule and competition (empty: none) for which the rule found '
    'something. samples are up to five of the reasons, as people read them.';

create table ops.competition_hold (
    competition_hold_id bigint generated always as identity primary key,
    competition text not null,
    gate text not null,
    suite text not null,
    expectation text not null,
    column_name text not null default '',
    reason text not null,
    row_keys text[] not null,
    run_id text not null,
    held_as_of timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp()
);
create index competition_hold_by_competition on ops.competition_hold (competition, held_as_of);
comment on table ops.competition_hold is 'One row a competition and expectation that blocks it: nothing new is '
    'predicted for it until the row has its competition_release. row_keys are the rows that broke the expectation.';

create table ops.competition_release (
    competition_hold_id bigint primary key references ops.competition_hold,
    kind text not null check (kind in ('passed', 'widened', 'accepted')),
    reason text not null,
    run_id text not null,
    released_as_of timestamptz not null,
    released_by text not null default session_user,
    recorded_at timestamptz not null default clock_timestamp()
);
comment on column ops.competition_release.kind is 'passed: the gate passed for the competition; widened: the same '
    'expectation found more rows, in a newer hold; accepted: a person takes the rows of the hold as they are.';

select ops.make_append_only(t::regclass) from unnest(array[
    'ops.rule_result', 'ops.competition_hold', 'ops.competition_release']) as t;
grant select on ops.rule_result, ops.competition_hold, ops.competition_release to touchline_api;
grant select, insert on ops.rule_result, ops.competition_hold, ops.competition_release
    to touchline_ingest, touchline_transform, touchline_model;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("drop table ops.competition_release, ops.competition_hold, ops.rule_result")
