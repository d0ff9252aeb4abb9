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
comment on table landing.team_review is 'Names that no rule could settle, open until landing.team_link holds them.';

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
create index rejected_row_waiting on landing.rejected_row (payload_id)
    where scope = 'row' and rule in ('team_doubtful', 'match_unknown');
create table landing.rejected_row_settled (
    rejected_row_id bigint primary key references landing.rejected_row,
    payload_replayed_id bigint not null references landing.payload_replayed,
    recorded_at timestamptz not null default clock_timestamp()
);

create index fixture_observation_by_season on landing.fixture_observation (competition, season);
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
comment on column landing.score_observation.home_goals is 'Goals after ninety minutes, which bets settle on.';
comment on column landing.score_observation.home_goals_extra_time is 'Goals in extra time alone; null without it.';
comment on column landing.score_observation.home_penalties is 'Goals in the shoot-out; null without one.';

-- Prices at volume. A body is parsed once (payload_parsed, in the same transaction), so no key has to refuse a second
-- copy of a quote, and a narrow index, filled in its own order, loads faster than a wide one.
alter table landing.odds_observation
    add column source text not null default 'football_data_uk',
    drop constraint odds_observation_check,
    drop constraint odds_observation_pkey;
alter table landing.odds_observation alter column source drop default;
create index odds_observation_by_match on landing.odds_observation (fixture_key);
comment on index landing.odds_observation_by_match is 'A match has some thousand quotes: they are read together.';

create table landing.odds_month (
    fixture_key uuid not null,
    source text not null,
    month timestamptz not null,
    primary key (fixture_key, source, month)
);
comment on table landing.odds_month is 'Which monthly partitions hold quotes of a match, so that a lookup reads no '
    'other. month is the first instant (UTC) of the month of observed_at.';
insert into landing.odds_month
select distinct fixture_key, source, date_trunc('month', observed_at, 'UTC') from landing.odds_observation;

-- ATTACH waits for no reader, unlike CREATE TABLE ... PARTITION OF.
create or replace function landing.ensure_odds_partition(moment timestamptz) returns text
language plpgsql security definer set search_path = pg_catalog, landing, ops as $$
declare
    month timestamptz := date_trunc('month', moment, 'UTC');
    next_month timestamptz := (date_trunc('month', moment at time zone 'UTC') + interval '1 month') at time zone 'UTC';
    partition_name text := 'odds_observation_' || to_char(moment at time zone 'UTC', 'YYYYMM');
begin
    if to_regclass('landing.' || partition_name) is not null then
        return partition_name;
    end if;
    perform pg_advisory_xact_lock(hashtext(partition_name));
    if to_regclass('landing.' || partition_name) is null then
        execute format(
            'create table landing.%I (like landing.odds_observation including defaults including constraints)',
            partition_name);
        execute format(
            'alter table landing.odds_observation attach partition landing.%I for values from (%L) to (%L)',
            partition_name, month, next_month);
        perform ops.make_append_only(('landing.' || partition_name)::regclass, true);
    end if;
    return partition_name;
end $$;

create function landing.ensure_odds_partitions(as_of timestamptz) returns text[]
language sql security definer set search_path = pg_catalog, landing, ops as $$
    select array[
        landing.ensure_odds_partition(as_of),
        landing.ensure_odds_partition(date_trunc('month', as_of, 'UTC') + interval '32 days')]
$$;
comment on function landing.ensure_odds_partitions is 'Makes the partitions of the month of as_of and of the next one.';
revoke all on function landing.ensure_odds_partitions(timestamptz) from public;
grant execute on function landing.ensure_odds_partitions(timestamptz) to touchline_ingest;

-- With the caller's rights, and nobody but the owner may call it: no application can drop an observation.
create function landing.swap_odds_partition(partition_name text, compacted regclass, reason text) returns void
language plpgsql set search_path = pg_catalog, landing, ops as $$
declare
    partition regclass := ('landing.' || quote_ident(partition_name))::regclass;
    bounds text := (select pg_get_expr(relpartbound, oid) from pg_class
        where oid = partition and relispartition and partition_name ~ '^odds_observation_[0-9]{6}$');
    columns text := (select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
        where attrelid = 'landing.odds_observation'::regclass and attnum > 0 and not attisdropped);
    n_before bigint;
    n_after bigint;
    n_foreign bigint;
begin
    if bounds is null then
        raise exception '% is no partition of landing.odds_observation', partition_name;
    end if;
    -- Nobody writes while the copy is checked; readers wait for the swap alone.
    lock table only landing.odds_observation in share row exclusive mode;
    execute format('select count(*) from %s', partition) into n_before;
    execute format('select count(*) from %s', compacted) into n_after;
    execute format('select count(*) from (select %1$s from %2$s except all select %1$s from %3$s) as made_up',
        columns, compacted, partition) into n_foreign;
    if n_foreign > 0 or n_after > n_before or (n_after = 0 and n_before > 0) then
        raise exception 'the compacted copy of % holds % rows (% before), % of them not in the original',
            partition_name, n_after, n_before, n_foreign;
    end if;
    lock table only landing.odds_observation in access exclusive mode;
    execute format('alter table landing.odds_observation detach partition %s', partition);
    execute format('drop table %s', partition);
    execute format('alter table %s rename to %I', compacted, partition_name);
    execute format('alter table landing.odds_observation attach partition landing.%I %s', partition_name, bounds);
    perform ops.make_append_only(('landing.' || partition_name)::regclass, true);
    insert into ops.audit_log (action, object, reason) values (
        'COMPACT', 'landing.' || partition_name, format('%s; %s rows before, %s after', reason, n_before, n_after));
end $$;
comment on function landing.swap_odds_partition is 'Puts a compacted copy, whose rows must all be rows of the '
    'partition, in the place of a partition, and says so in ops.audit_log.';
revoke all on function landing.swap_odds_partition(text, regclass, text) from public;

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
comment on table ops.source_state is 'One row a source: its circuit breaker, the time of its next call, and what is '
    'left of its quota as it last said. Shared by all processes.';
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
    'landing.rejected_row_settled', 'landing.odds_month']) as t;
grant select, insert on landing.match_link, landing.team_link, landing.team_review, landing.payload_replayed,
    landing.rejected_row_settled, landing.odds_month to touchline_ingest;
grant select on landing.match_link, landing.team_link, landing.team_review, landing.payload_replayed,
    landing.rejected_row_settled, landing.odds_month to touchline_transform, touchline_model;
grant select on ops.source_state, ops.source_usage to touchline_transform, touchline_model, touchline_api;
grant select, insert, update on ops.source_state, ops.source_usage to touchline_ingest;
"""

# Statuses that only this revision knows cannot be kept.
DOWNGRADE = """
drop table ops.source_usage, ops.source_state;
drop index landing.rejected_row_waiting, landing.fixture_observation_by_season;
drop table landing.rejected_row_settled, landing.payload_replayed, landing.team_review, landing.team_link,
    landing.match_link;
-- The old key holds one version of a quote a body: the last one stays. ensure_odds_partition makes the same partitions
-- as before and stays as it is.
set local touchline.bypass_reason = 'downgrade to 0003: one version of a quote a body';
delete from landing.odds_observation using (
    select tableoid as partition, ctid as place, row_number() over (
        partition by fixture_key, bookmaker, market, is_closing, line, payload_id, observed_at
        order by known_at desc, quoted_at desc, row_number desc) as version
    from landing.odds_observation) as versions
where odds_observation.tableoid = versions.partition and odds_observation.ctid = versions.place
    and versions.version > 1;
set local touchline.bypass_reason = '';
drop function landing.swap_odds_partition, landing.ensure_odds_partitions;
drop table landing.odds_month;
drop index landing.odds_observation_by_match;
alter table landing.odds_observation drop column source,
    add primary key (fixture_key, bookmaker, market, is_closing, line, payload_id, observed_at),
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
