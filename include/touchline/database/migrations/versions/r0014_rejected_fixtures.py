"""Which fixture a rejected row is about, as far as it could be read."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

UPGRADE = """
alter table landing.rejected_row
    add column competition text,
    add column kickoff_at timestamptz,
    add column home_team text,
    add column away_team text;
comment on column landing.rejected_row.competition is 'Competition of the fixture that a rejected row is about; null '
    'where it could not be read. The same goes for kick-off (UTC) and teams.';
comment on column landing.rejected_row.home_team is 'As the source names it.';
create index rejected_row_by_kickoff on landing.rejected_row (kickoff_at) where scope = 'row';
-- Its model is gone.
drop table if exists features.head_to_head;
"""

DOWNGRADE = """
drop index landing.rejected_row_by_kickoff;
alter table landing.rejected_row
    drop column competition cascade, drop column kickoff_at cascade, drop column home_team cascade,
    drop column away_team cascade;
-- The views that read them went with them: the next build makes them again.
delete from ops.layer_build where layer = 'analytics';
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
