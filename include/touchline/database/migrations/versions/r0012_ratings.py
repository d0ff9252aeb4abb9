"""team_rating: states of many more numbers, made anew by the next build."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# The ratings step makes the table, in the shape that its code knows, where there is none. Views that read it go with
# it, so that all layers from the ratings on are built in full.
RENEW = """
drop table if exists features.team_rating cascade;
delete from ops.layer_build where layer in ('ratings', 'features', 'analytics');
"""


def upgrade() -> None:
    op.execute(RENEW)


def downgrade() -> None:
    op.execute(RENEW)
