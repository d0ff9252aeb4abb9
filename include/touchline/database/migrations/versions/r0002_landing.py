"""landing: payloads as received, observations parsed from them, rows that could not be used."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UPGRADE = """
create table landing.payload (
    payload_id bigint generated always as identity primary key,
    source text not null,
    endpoint text not null,
    request jsonb not null default '{}',
    observed_at timestamptz not null,
    is_backfill boolean not null,
    http_status smallint,
    content_type text,
    validators jsonb not null default '{}',
    content_hash bytea not null,
    n_bytes bigint not null,
    body bytea not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp()
);
-- The body is already compressed.
alter table landing.payload alter column body set storage external;
create index payload_by_request on landing.payload (source, endpoint, payload_id desc);
comment on table landing.payload is 'One row a body received. A body equal to the last of its request is '
    'noted in payload_seen instead.';
comment on column landing.payload.body is 'zlib-compressed bytes exactly as received';
comment on column landing.payload.is_backfill is 'the first body ever received for this request: its facts '
    'are dated by the publisher''s schedule (known_at), not by our late arrival';

create table landing.payload_seen (
    payload_id bigint not null references landing.payload,
    observed_at timestamptz not null,
    run_id text not null,
    primary key (payload_id, observed_at)
);

create table landing.payload_parsed (
    payload_id bigint primary key references landing.payload,
    n_rows integer not null,
    n_parsed integer not null,
    n_rejected integer not null,
    n_fixtures integer not null,
    n_scores integer not null,
    n_quotes integer not null,
    n_rejected_prices integer not null,
    run_id text not null,
    parsed_at timestamptz not null default clock_timestamp(),
    check (n_parsed + n_rejected = n_rows)
);
comment on table landing.payload_parsed is 'Written in the same transaction as the observations of a payload: '
    'a payload without a row here is still to be parsed. n_fixtures, n_scores and n_quotes count new facts.';

create table landing.rejected_row (
    rejected_row_id bigint generated always as identity primary key,
    payload_id bigint not null references landing.payload,
    row_number integer not null,
    scope text not null check (scope in ('payload', 'row', 'field', 'price')),
    rule text not null,
    field text,
    value text,
    reason text not null,
    row_text text,
    observed_at timestamptz not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp()
);
create index rejected_row_by_payload on landing.rejected_row (payload_id);
comment on column landing.rejected_row.scope is 'payload: nothing of it was usable; row: the row was not used; '
    'field, price: the row was used without this value';

create table landing.fixture_observation (
    fixture_key uuid not null,
    source text not null,
    competition text not null,
    season text not null,
    home_team text not null,
    away_team text not null,
    kickoff_on date not null,
    kickoff_at timestamptz not null,
    is_kickoff_time_known boolean not null,
    status text not null check (status in ('scheduled', 'played', 'postponed', 'abandoned', 'awarded', 'cancelled')),
    payload_id bigint not null references landing.payload,
    row_number integer not null,
    published_at timestamptz not null,
    observed_at timestamptz not null,
    known_at timestamptz not null,
    check (known_at <= observed_at),
    primary key (fixture_key, payload_id)
);

create table landing.score_observation (
    fixture_key uuid not null,
    source text not null,
    home_goals smallint not null check (home_goals >= 0),
    away_goals smallint not null check (away_goals >= 0),
    home_goals_half_time smallint,
    away_goals_half_time smallint,
    home_shots smallint,
    away_shots smallint,
    home_shots_on_target smallint,
    away_shots_on_target smallint,
    home_corners smallint,
    away_corners smallint,
    home_fouls smallint,
    away_fouls smallint,
    home_yellow_cards smallint,
    away_yellow_cards smallint,
    home_red_cards smallint,
    away_red_cards smallint,
    referee text,
    payload_id bigint not null references landing.payload,
    row_number integer not null,
    published_at timestamptz not null,
    observed_at timestamptz not null,
    known_at timestamptz not null,
    check (known_at <= observed_at),
    primary key (fixture_key, payload_id)
);

create table landing.odds_observation (
    fixture_key uuid not null,
    bookmaker text not null,
    market text not null check (market in ('1x2', 'over_under', 'asian_handicap')),
    line real not null default 0,
    is_closing boolean not null,
    price_home real,
    price_draw real,
    price_away real,
    price_over real,
    price_under real,
    payload_id bigint not null,
    row_number integer not null,
    quoted_at timestamptz not null,
    observed_at timestamptz not null,
    known_at timestamptz not null,
    check (known_at <= observed_at),
    primary key (fixture_key, bookmaker, market, is_closing, line, payload_id, observed_at)
) partition by range (observed_at);
comment on table landing.odds_observation is 'One row a quote: the decimal prices one bookmaker offers for one '
    'market and line at one time. A quote equal to the last one observed is not stored again.';

create function landing.ensure_odds_partition(moment timestamptz) returns text
language plpgsql security definer set search_path = pg_catalog, landing, ops as $$
declare
    month timestamptz := date_trunc('month', moment at time zone 'UTC') at time zone 'UTC';
    next_month timestamptz := (date_trunc('month', moment at time zone 'UTC') + interval '1 month') at time zone 'UTC';
    partition_name text := 'odds_observation_' || to_char(moment at time zone 'UTC', 'YYYYMM');
begin
    if to_regclass('landing.' || partition_name) is not null then
        return partition_name;
    end if;
    perform pg_advisory_xact_lock(hashtext(partition_name));
    if to_regclass('landing.' || partition_name) is null then
        execute format(
            'create table landing.%I partition of landing.odds_observation for values from (%L) to (%L)',
            partition_name, month, next_month);
        perform ops.make_append_only(('landing.' || partition_name)::regclass, true);
    end if;
    return partition_name;
end $$;
revoke all on function landing.ensure_odds_partition(timestamptz) from public;
grant execute on function landing.ensure_odds_partition(timestamptz) to touchline_ingest;

select ops.make_append_only(t::regclass) from unnest(array[
    'landing.payload', 'landing.payload_seen', 'landing.payload_parsed', 'landing.rejected_row',
    'landing.fixture_observation', 'landing.score_observation', 'landing.odds_observation']) as t;

grant select, insert on all tables in schema landing to touchline_ingest;
grant select on all tables in schema landing to touchline_transform, touchline_model;
-- PostgreSQL lets everybody create temporary tables; a read-only role creates nothing.
revoke temporary on database {database} from public;
grant temporary on database {database} to touchline_ingest, touchline_transform, touchline_model;
"""

DOWNGRADE = """
revoke temporary on database {database} from touchline_ingest, touchline_transform, touchline_model;
grant temporary on database {database} to public;
drop schema landing cascade;
create schema landing;
grant usage on schema landing to touchline_ingest, touchline_transform, touchline_model, touchline_api;
"""


def upgrade() -> None:
    op.execute(UPGRADE.replace("{database}", _database()).replace(":'", "\\:'"))


def downgrade() -> None:
    op.execute(DOWNGRADE.replace("{database}", _database()))


def _database() -> str:
    return str(op.get_bind().exec_driver_sql("select quote_ident(current_database())").scalar())
