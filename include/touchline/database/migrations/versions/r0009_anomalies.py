"""ops: anomalies found in what the warehouse holds, and which stretches of time were searched."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UPGRADE = """
create table ops.anomaly (
    anomaly_id bigint generated always as identity primary key,
    detector text not null,
    subject_kind text not null check (subject_kind in (
        'quote', 'match', 'competition_week', 'competition_series', 'feature')),
    subject text not null,
    competition text,
    season text,
    match_id uuid,
    what text not null,
    place text not null,
    observed double precision,
    expected double precision,
    score double precision not null,
    compared_with text not null,
    what_to_do text not null,
    severity text not null check (severity in ('warn', 'quarantine')),
    as_of timestamptz not null,
    run_id text not null,
    detail jsonb not null default '{}',
    found_at timestamptz not null default clock_timestamp(),
    unique nulls not distinct (detector, subject, observed)
);
create index anomaly_by_as_of on ops.anomaly (as_of desc);
create index anomaly_by_match on ops.anomaly (match_id) where match_id is not null;
comment on table ops.anomaly is 'One row a finding: what is unusual, where, how much (score: robust standard '
    'deviations, or what the detector states) and compared with what. The same finding is kept once.';
comment on column ops.anomaly.subject is 'What the finding names: match/bookmaker/market/line/stage of a quote, a '
    'match, competition/week, competition/series/week, feature/first day of four weeks.';
comment on column ops.anomaly.observed is 'The value found; its unit is that of what the detector measures.';
comment on column ops.anomaly.as_of is 'End of the stretch searched: nothing known later was looked at.';

create table ops.anomaly_search (
    since timestamptz not null,
    as_of timestamptz not null,
    n_found integer not null,
    n_new integer not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (since, as_of)
);
comment on table ops.anomaly_search is 'Which stretches of time were searched: rows known after since, up to as_of.';

grant select, insert on ops.anomaly to touchline_transform;
grant select, insert, update on ops.anomaly_search to touchline_transform;
grant select on ops.anomaly, ops.anomaly_search to touchline_ingest, touchline_model, touchline_api;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("drop table ops.anomaly_search, ops.anomaly")
