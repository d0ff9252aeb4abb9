"""ops.lineage_edge: what an edge stands for; indexes for walking it back, and from a payload to its quotes."""

from alembic import op

revision = "0007"
down_revision = "0004"
branch_labels = None
depends_on = None

UPGRADE = """
alter table ops.lineage_edge add column detail jsonb not null default '{}';
create index lineage_edge_back on ops.lineage_edge (to_kind, to_id);
comment on table ops.lineage_edge is 'One row a pair of things of which the second was made from the first: sources, '
    'datasets, task runs, training sets, model versions. Rows of landing are followed in the tables themselves.';
comment on column ops.lineage_edge.run_id is 'the run that first made the edge';
comment on column ops.lineage_edge.detail is 'what is worth knowing of the first making, such as as_of';

-- Quotes are written payload by payload, so a range index of a few pages finds those of one payload.
create index odds_observation_by_payload on landing.odds_observation
    using brin (payload_id) with (pages_per_range = 32, autosummarize = on);
"""

DOWNGRADE = """
drop index landing.odds_observation_by_payload;
drop index ops.lineage_edge_back;
alter table ops.lineage_edge drop column detail;
comment on table ops.lineage_edge is null;
comment on column ops.lineage_edge.run_id is null;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
