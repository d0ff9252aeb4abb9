"""Several sources: their own match ids, team names settled or under review, replays, and the state of each source."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UPGRADE = """
-- Which match of ours a source means by its own id. The key never changes, however often the kick-off moves.
create table landing.match_link (
    source text not null,
    source_match_id text not null,
    fixture_key uuid not null,
    payload_id bigint not null references landing.payload,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (source, source_match_id)
);
create index match_link_by_fixture on landing.match_link (fixture_key);

create table landing.team_link (
    team_link_id bigint generated always as identity primary key,
    source text not null,
    country text not null,
    alias text not null,
    team text,
    method text not null check (method in ('exact', 'normalised', 'fuzzy', 'schedule', 'manual')),
    score real,
    runner_up text,
    runner_up_score real,
    observed_at timestamptz not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp()
);
create index team_link_by_alias on landing.team_link (source, country, alias, team_link_id desc);
comment on table landing.team_link is 'Which team a source means by a name; the last row of a name counts. '
    'team is the name in the anchor source of the competition; null undoes a link.';

create table landing.team_review (
    team_review_id bigint generated always as identity primary key,
    source text not null,
    country text not null,
    competition text not null,
    season text not null,
    alias text not null,
    candidate text,
    score real,
    runner_up text,
    runner_up_score real,
    observed_at timestamptz not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    unique (source, competition, season, alias)
);
comment on table landing.team_review is 'Names that no rule could settle. A name is open until landing.team_link holds it.';

-- Rows of a payload that were rejected and later used, without fetching again.
create table landing.payload_replayed (
    payload_replayed_id bigint generated always as identity primary key,
    payload_id bigint not null references landing.payload,
    observed_at timestamptz not null,
    n_rows integer not null,
    n_settled integer not null,
    n_fixtures integer not null,
    n_scores integer not null,
    n_quotes integer not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp()
);
create index payload_replayed_by_payload on landing.payload_replayed (payload_id);
create table landing.rejected_row_settled (
    rejected_row_id bigint primary key references landing.rejected_row,
    payload_replayed_id bigint not null references landing.payload_replayed,
    recorded_at timestamptz not null default clock_timestamp()
);

alter table landing.fixture_observation
    add column source_match_id text,
    drop constraint fixture_observation_status_check,
    drop constraint fixture_observation_check;
alter table landing.fixture_observation
    add constraint fixture_observation_status_check check (status in (
        'scheduled', 'played', 'postponed', 'abandoned', 'awarded', 'cancelled', 'in_play', 'suspended'));
comment on column landing.fixture_observation.known_at is 'From when on the fact could be used: published_at in a '
    'first body, observed_at otherwise, the instant of the replay when the row waited in quarantine.';
alter table landing.score_observation
    add column source_match_id text,
    add column home_goals_extra_time smallint,
    add column away_goals_extra_time smallint,
    add column home_penalties smallint,
    add column away_penalties smallint,
    drop constraint score_observation_check;
comment on column landing.score_observation.home_goals is 'Goals after ninety minutes and stoppage time, which bets settle on.';
comment on column landing.score_observation.home_goals_extra_time is 'Goals in extra time alone; null without extra time.';
comment on column landing.score_observation.home_penalties is 'Goals in the shoot-out; null without one.';
alter table landing.odds_observation
    add column source text not null default 'football_data_uk',
    drop constraint odds_observation_check;
alter table landing.odds_observation alter column source drop default;

create table ops.source_state (
    source text primary key,
    circuit text not null default 'closed' check (circuit in ('closed', 'open', 'half_open')),
    n_failures integer not null default 0,
    opened_as_of timestamptz,
    opened_at timestamptz,
    last_success_as_of timestamptz,
    last_success_at timestamptz,
    last_failure_as_of timestamptz,
    last_failure_at timestamptz,
    last_error text,
    next_call_at timestamptz not null default clock_timestamp(),
    remaining_calls integer,
    remaining_credits integer,
    quota_spent_until timestamptz
);
comment on table ops.source_state is 'One row a source: its circuit breaker, the time of its next call, and what is left '
    'of its quota as it last said. Shared by all processes.';
create table ops.source_usage (
    source text not null,
    used_on date not null,
    n_calls integer not null default 0,
    n_credits integer not null default 0,
    n_failures integer not null default 0,
    primary key (source, used_on)
);

select ops.make_append_only(t::regclass) from unnest(array[
    'landing.match_link', 'landing.team_link', 'landing.team_review', 'landing.payload_replayed',
    'landing.rejected_row_settled']) as t;
grant select, insert on landing.match_link, landing.team_link, landing.team_review, landing.payload_replayed,
    landing.rejected_row_settled to touchline_ingest;
grant select on landing.match_link, landing.team_link, landing.team_review, landing.payload_replayed,
    landing.rejected_row_settled to touchline_transform, touchline_model;
grant select on ops.source_state, ops.source_usage to touchline_transform, touchline_model, touchline_api;
grant select, insert, update on ops.source_state, ops.source_usage to touchline_ingest;
"""

# Statuses that only this revision knows cannot be kept.
DOWNGRADE = """
drop table ops.source_usage, ops.source_state;
drop table landing.rejected_row_settled, landing.payload_replayed, landing.team_review, landing.team_link,
    landing.match_link;
alter table landing.odds_observation drop column source,
    add constraint odds_observation_check check (known_at <= observed_at) not valid;
alter table landing.score_observation drop column source_match_id, drop column home_goals_extra_time,
    drop column away_goals_extra_time, drop column home_penalties, drop column away_penalties,
    add constraint score_observation_check check (known_at <= observed_at) not valid;
alter table landing.fixture_observation drop column source_match_id,
    drop constraint fixture_observation_status_check,
    add constraint fixture_observation_check check (known_at <= observed_at) not valid,
    add constraint fixture_observation_status_check check (status in (
        'scheduled', 'played', 'postponed', 'abandoned', 'awarded', 'cancelled')) not valid;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
