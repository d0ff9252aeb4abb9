"""A match that its source lists no more is withdrawn."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

UPGRADE = """
alter table landing.fixture_observation
    drop constraint fixture_observation_status_check,
    add constraint fixture_observation_status_check check (status in (
        'scheduled', 'played', 'postponed', 'abandoned', 'awarded', 'cancelled', 'in_play', 'suspended',
        'withdrawn')) not valid;
alter table landing.fixture_observation validate constraint fixture_observation_status_check;
comment on column landing.fixture_observation.status is 'As the source says; withdrawn: a file that lists every match '
    'of its season lists it no more (row_number is 0), and what its source said of it before no longer counts.';
"""

# A status that only this revision knows cannot be kept.
DOWNGRADE = """
alter table landing.fixture_observation
    drop constraint fixture_observation_status_check,
    add constraint fixture_observation_status_check check (status in (
        'scheduled', 'played', 'postponed', 'abandoned', 'awarded', 'cancelled', 'in_play', 'suspended')) not valid;
comment on column landing.fixture_observation.status is null;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
