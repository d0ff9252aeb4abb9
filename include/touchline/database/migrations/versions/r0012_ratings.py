"""Ratings are states of many more numbers, and read prices: made anew by the next build."""

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
UPGRADE = f"""
{RENEW}
-- Its models are gone.
drop table if exists features.venue_form;
comment on column ops.match_change.known_from is 'earliest known_at among the new facts about fixture and result, and '
    'instant of a result known when prices of it were learned that count as known before; UTC; null when only other '
    'quotes are new';
"""
DOWNGRADE = f"""
{RENEW}
comment on column ops.match_change.known_from is 'earliest known_at among the new facts about fixture and result, '
    'UTC; null when only quotes are new';
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
