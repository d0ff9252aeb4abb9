"""ledger: every prediction ever made, and what came of it."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UPGRADE = """
create table ledger.prediction (
    prediction_id uuid primary key,
    match_id uuid not null,
    competition text not null,
    season text not null,
    home_team text not null,
    away_team text not null,
    kickoff_at timestamptz not null,
    model_name text not null,
    model_version text not null,
    forecast text not null,
    role text not null check (role in ('champion', 'challenger', 'baseline')),
    predicted_at timestamptz not null,
    features_as_of timestamptz not null,
    clock text not null check (clock in ('live', 'virtual')),
    p_home double precision not null check (p_home between 0 and 1),
    p_draw double precision not null check (p_draw between 0 and 1),
    p_away double precision not null check (p_away between 0 and 1),
    expected_home_goals double precision not null,
    expected_away_goals double precision not null,
    scoreline_grid real[] not null,
    features jsonb not null,
    feature_hash text not null,
    feature_store text not null check (feature_store in ('online', 'offline')),
    is_simulated boolean not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    constraint predicted_before_kickoff check (predicted_at < kickoff_at),
    constraint recorded_before_kickoff check (clock = 'virtual' or recorded_at < kickoff_at),
    constraint features_before_prediction check (features_as_of <= predicted_at),
    constraint probabilities_sum_to_one check (abs(p_home + p_draw + p_away - 1) < 1e-9),
    unique (match_id, model_name, model_version, forecast, role, kickoff_at, feature_hash, run_id)
);
create index prediction_by_kickoff on ledger.prediction (kickoff_at, match_id);
comment on column ledger.prediction.scoreline_grid is
    'P(home goals = i, away goals = j), rows i = 0..10, columns j = 0..10; sums to one';
comment on column ledger.prediction.feature_hash is 'SHA-256 of the features in name order; the last word of '
    'a model on a match is not written again while its version, kick-off and features stay the same';

create table ledger.prediction_outcome (
    prediction_id uuid not null references ledger.prediction,
    revision integer not null check (revision >= 1),
    home_goals smallint not null,
    away_goals smallint not null,
    outcome text not null check (outcome in ('home', 'draw', 'away')),
    rps double precision not null,
    log_loss double precision not null,
    brier double precision not null,
    is_correct boolean not null,
    p_closing_home double precision,
    p_closing_draw double precision,
    p_closing_away double precision,
    closing_line_value double precision,
    settled_at timestamptz not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (prediction_id, revision)
);
comment on column ledger.prediction.features_as_of is
    'the instant the features were built for; nothing learned later is in them';
comment on column ledger.prediction_outcome.closing_line_value is
    'ln(closing probability / pre-match probability) of the most probable outcome of the forecast, from consensus '
    'prices with the overround removed (power method); positive when the market moved towards the forecast, null '
    'without both prices';
comment on table ledger.prediction_outcome is 'One row a prediction and revision of its result: a corrected '
    'score is a new revision.';

select ops.make_append_only(t::regclass) from unnest(array[
    'ledger.prediction', 'ledger.prediction_outcome']) as t;
grant select on all tables in schema ledger to touchline_model, touchline_transform, touchline_api;
-- Every column but recorded_at, which is the server's own clock: the writer cannot backdate a prediction.
do $$
declare
    target record;
begin
    for target in
        select table_name, string_agg(quote_ident(column_name), ', ' order by ordinal_position) as names
        from information_schema.columns
        where table_schema = 'ledger' and column_name <> 'recorded_at'
        group by table_name
    loop
        execute format('grant insert (%s) on ledger.%I to touchline_model', target.names, target.table_name);
    end loop;
end $$;

-- dbt owns core, features and analytics; Feast keeps its online tables in a schema of its own.
create schema core authorization touchline_transform;
create schema staging authorization touchline_transform;
create schema features authorization touchline_transform;
create schema analytics authorization touchline_transform;
create schema feast authorization touchline_transform;
grant usage on schema core, features, analytics to touchline_model, touchline_api;
grant usage on schema feast to touchline_model;
"""

GRANTS = """
alter default privileges for role touchline_transform in schema {schema}
    grant select on tables to {readers};
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    for schema, readers in (
        ("core", "touchline_model, touchline_api"),
        ("features", "touchline_model"),
        ("analytics", "touchline_model, touchline_api"),
        ("feast", "touchline_model"),
    ):
        op.execute(GRANTS.format(schema=schema, readers=readers))


def downgrade() -> None:
    op.execute(
        "drop schema feast cascade; drop schema analytics cascade; drop schema features cascade;"
        "drop schema staging cascade; drop schema core cascade;"
        "drop table ledger.prediction_outcome; drop table ledger.prediction"
    )
