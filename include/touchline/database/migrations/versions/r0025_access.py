"""Access to the API: keys, what they were used for, the profiles of their users, and counts of requests."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# The table of r0001 was never written.
UPGRADE = """
drop table ops.api_key;
create table ops.api_key (
    prefix text primary key check (prefix ~ '^tl_[a-z2-7]{8}$'),
    owner text not null check (length(owner) between 1 and 200),
    scopes text[] not null check (cardinality(scopes) > 0 and scopes <@ array['read', 'profile']),
    rate_limit text,
    created_at timestamptz not null,
    expires_at timestamptz check (expires_at > created_at),
    revoked_at timestamptz
);
comment on table ops.api_key is 'One row a key of the API; keys are revoked, never removed.';
comment on column ops.api_key.prefix is 'The public beginning of the key, by which everybody names it.';
comment on column ops.api_key.rate_limit is 'As 600/minute; null for that of the settings.';
comment on column ops.api_key.expires_at is 'Wall clock; null for never.';

create table ops.api_key_secret (
    secret_hash bytea primary key check (octet_length(secret_hash) = 32),
    prefix text not null references ops.api_key,
    created_at timestamptz not null,
    expires_at timestamptz
);
create index api_key_secret_by_key on ops.api_key_secret (prefix);
comment on table ops.api_key_secret is 'One row a secret of a key: after a rotation two are valid until the old one '
    'expires.';
comment on column ops.api_key_secret.secret_hash is 'SHA-256 of 256 random bits; the secret itself is nowhere.';
comment on column ops.api_key_secret.expires_at is 'Wall clock; null while it is the newest.';

create table ops.api_key_use (
    prefix text not null references ops.api_key,
    minute timestamptz not null,
    route text not null,
    status smallint not null,
    process uuid not null,
    n bigint not null check (n > 0),
    primary key (prefix, minute, route, status, process)
);
comment on table ops.api_key_use is 'The audit log of uses: one row a key, minute (wall clock), route, HTTP status and '
    'process of the API.';
comment on column ops.api_key_use.route is 'The pattern of the route; "other" for what was refused before or has none.';
create function ops.refuse_fewer() returns trigger language plpgsql as $$
begin
    if new.n < old.n then
        raise exception 'ops.api_key_use only grows' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger refuse_fewer before update on ops.api_key_use for each row execute function ops.refuse_fewer();

create table ops.user_profile (
    prefix text primary key references ops.api_key,
    competitions text[] not null,
    teams text[] not null,
    time_zone text not null,
    odds_format text not null check (odds_format in ('decimal', 'fractional', 'american')),
    language text not null,
    kickoff_soon_minutes integer check (kickoff_soon_minutes > 0),
    prediction_moved double precision check (prediction_moved > 0 and prediction_moved < 1),
    settled_hours integer check (settled_hours > 0),
    updated_at timestamptz not null
);
comment on table ops.user_profile is 'One row a key: what its user likes to see, and how.';
comment on column ops.user_profile.kickoff_soon_minutes is 'Alert this long before kick-off; null for no alert.';
comment on column ops.user_profile.prediction_moved is 'Alert when a probability moved by more; null for no alert.';
comment on column ops.user_profile.settled_hours is 'Alert for this long after a prediction was settled; null for no '
    'alert.';

-- Of the present alone: a crash may empty it.
create unlogged table ops.api_rate (
    name text primary key,
    ends_at timestamptz not null,
    n bigint not null
);
comment on table ops.api_rate is 'One row a key or address, limit and window: requests that all processes have let in.';

grant usage on schema ops to touchline_access;
grant select on ops.api_key, ops.api_key_secret, ops.api_key_use to touchline_access;
grant insert, update (n) on ops.api_key_use to touchline_access;
grant select, insert on ops.user_profile to touchline_access;
grant update (
    competitions, teams, time_zone, odds_format, language, kickoff_soon_minutes, prediction_moved, settled_hours,
    updated_at
) on ops.user_profile to touchline_access;
grant select, insert, update, delete on ops.api_rate to touchline_access;
"""

DOWNGRADE = """
revoke usage on schema ops from touchline_access;
drop table ops.api_rate, ops.user_profile, ops.api_key_use, ops.api_key_secret, ops.api_key;
drop function ops.refuse_fewer();
create table ops.api_key (
    api_key_id uuid primary key default gen_random_uuid(),
    name text not null unique,
    key_hash bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz
);
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
