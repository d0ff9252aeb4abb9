"""What a build has still to work in: observations by payload, facts set aside after landing, matches that changed."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UPGRADE = """
create index fixture_observation_by_payload on landing.fixture_observation (payload_id);
create index score_observation_by_payload on landing.score_observation (payload_id);
-- Quotes are appended body after body: the range of ids of a block is narrow, and the index costs next to nothing.
create index odds_observation_by_payload on landing.odds_observation using brin (payload_id)
    with (pages_per_range = 16, autosummarize = on);

create table landing.quarantined_fact (
    quarantined_fact_id bigint generated always as identity primary key,
    kind text not null check (kind in ('fixture', 'score', 'quote')),
    fixture_key uuid not null,
    payload_id bigint not null references landing.payload,
    bookmaker text,
    market text,
    line real,
    is_closing boolean,
    rule text not null,
    reason text not null,
    observed_at timestamptz not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    check ((kind = 'quote') = (bookmaker is not null and market is not null and line is not null
        and is_closing is not null))
);
create unique index quarantined_fact_once on landing.quarantined_fact
    (kind, fixture_key, payload_id, rule, bookmaker, market, line, is_closing) nulls not distinct;
create index quarantined_fact_by_payload on landing.quarantined_fact (payload_id);
comment on table landing.quarantined_fact is 'Facts that landed and may not be used: staging leaves them out, so '
    'that nothing is built on them. The observation itself stays where it is.';
comment on column landing.quarantined_fact.observed_at is 'as_of of the check that set the fact aside, UTC';

create table ops.match_change (
    change_id bigint not null,
    match_id uuid not null,
    known_from timestamptz,
    primary key (change_id, match_id)
);
comment on table ops.match_change is 'One row a build and match of which something new had landed: what the layers '
    'have to work in. Written before a build of core; rows that every layer has seen are removed.';
comment on column ops.match_change.known_from is 'earliest known_at among the new facts about fixture and result, '
    'UTC; null when only quotes are new';

create table ops.built_input (
    kind text not null check (kind in ('payload', 'replay', 'quarantine')),
    input_id bigint not null,
    change_id bigint not null,
    primary key (kind, input_id)
);
comment on table ops.built_input is 'Payloads, replays and facts set aside whose matches are in ops.match_change.';

create table ops.layer_build (
    layer text primary key,
    as_of timestamptz not null,
    change_id bigint not null,
    definition text not null,
    is_full boolean not null,
    run_id text not null,
    built_at timestamptz not null default clock_timestamp()
);
comment on table ops.layer_build is 'One row a layer: as of when, up to which change and by which definition its '
    'tables stand. A layer without a row is built in full.';

select ops.make_append_only('landing.quarantined_fact'::regclass);
grant select, insert on landing.quarantined_fact to touchline_ingest, touchline_transform;
grant select on landing.quarantined_fact to touchline_model;
grant select, insert, update, delete, truncate on ops.match_change, ops.built_input, ops.layer_build
    to touchline_transform;
grant select on ops.match_change, ops.built_input, ops.layer_build to touchline_ingest, touchline_model;
grant select on ops.layer_build to touchline_api;

-- One row a team, match and period of knowledge instead of one a team and match: rated anew by the next build.
drop table if exists features.team_rating cascade;
"""

DOWNGRADE = """
drop table if exists features.team_rating cascade;
drop table ops.layer_build, ops.built_input, ops.match_change;
drop table landing.quarantined_fact;
drop index landing.odds_observation_by_payload, landing.score_observation_by_payload,
    landing.fixture_observation_by_payload;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
