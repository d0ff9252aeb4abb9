"""drift: how many matches a measure rests on, and what else it found."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UPGRADE = """
alter table ops.drift_metric add column n_matches integer;
alter table ops.drift_metric add column detail jsonb not null default '{}';
comment on table ops.drift_metric is
    'One row a metric, subject and instant: how far the champion or a feature has drifted, and whether it is drift.';
comment on column ops.drift_metric.value is
    'Population stability index of a feature; elsewhere evidence, the decimal logarithm of an e-value.';
comment on column ops.drift_metric.n_matches is 'Matches the value rests on.';
comment on column ops.drift_metric.detail is 'The same in the units of the metric, such as the gap in nats.';
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("alter table ops.drift_metric drop column n_matches, drop column detail")
