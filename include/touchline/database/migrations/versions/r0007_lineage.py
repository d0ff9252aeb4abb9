"""ops.lineage_edge: what an edge stands for, and an index for walking it back."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UPGRADE = """
alter table ops.lineage_edge add column detail jsonb not null default '{}';
create index lineage_edge_back on ops.lineage_edge (to_kind, to_id);
comment on table ops.lineage_edge is 'One row a pair of things of which the second was made from the first: sources, '
    'datasets, task runs, training sets, model versions. Rows of landing are followed in the tables themselves.';
comment on column ops.lineage_edge.run_id is 'the run that first made the edge';
comment on column ops.lineage_edge.detail is 'what is worth knowing of the first making, such as as_of';
"""

DOWNGRADE = """
drop index ops.lineage_edge_back;
alter table ops.lineage_edge drop column detail;
comment on table ops.lineage_edge is null;
comment on column ops.lineage_edge.run_id is null;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
