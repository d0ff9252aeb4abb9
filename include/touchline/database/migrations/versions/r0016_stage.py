"""The stage of a match: of the league itself, or a play-off that a source lists with it."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

UPGRADE = """
alter table landing.fixture_observation add column stage text check (stage in ('league', 'play_off'));
comment on column landing.fixture_observation.stage is 'league or play_off; null where the source does not say.';
"""

# The view of staging that reads it goes with it: the next build makes it again.
DOWNGRADE = "alter table landing.fixture_observation drop column stage cascade"


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
