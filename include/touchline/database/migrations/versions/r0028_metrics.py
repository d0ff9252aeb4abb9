"""A role for the metrics exporter, which reads what its queries need; predictions are found by when they were made, and
fixtures by when they kick off."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

# What it knows of the server comes with pg_monitor, which an administrator grants (touchline.database.bootstrap).
OPS = (
    "ops.collection, ops.competition_hold, ops.competition_release, ops.drift_metric, ops.lineage_edge, ops.notice, "
    "ops.pipeline_run, ops.quality_result, ops.source_state, ops.source_usage"
)
UPGRADE = f"""
create index prediction_by_time on ledger.prediction (predicted_at, role);
create index fixture_observation_by_kickoff on landing.fixture_observation (kickoff_at);

grant usage on schema ops, landing, ledger, core, analytics to touchline_metrics;
grant select on {OPS} to touchline_metrics;
grant select on ledger.prediction, ledger.prediction_outcome to touchline_metrics;
grant select on landing.set_aside, landing.rejected_row_settled to touchline_metrics;
grant select (payload_id, source) on landing.payload to touchline_metrics;
grant select (payload_id, n_fixtures, n_scores, n_quotes) on landing.payload_parsed to touchline_metrics;
grant select (rejected_row_id, finding_key, payload_id, rule, observed_at) on landing.rejected_row
    to touchline_metrics;
grant select on all tables in schema core, analytics to touchline_metrics;
alter default privileges for role touchline_transform in schema core, analytics
    grant select on tables to touchline_metrics;
"""

DOWNGRADE = """
alter default privileges for role touchline_transform in schema core, analytics
    revoke select on tables from touchline_metrics;
revoke all on all tables in schema ops, landing, ledger, core, analytics from touchline_metrics;
revoke usage on schema ops, landing, ledger, core, analytics from touchline_metrics;
drop index landing.fixture_observation_by_kickoff;
drop index ledger.prediction_by_time;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
