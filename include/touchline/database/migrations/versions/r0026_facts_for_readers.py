"""The API reads the facts of landing, to tell how prices moved and what a prediction rests on; no body of a payload."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

UPGRADE = """
grant select on landing.fixture_observation, landing.score_observation, landing.odds_observation, landing.set_aside
to touchline_api;
grant select (payload_id, source, endpoint, observed_at, is_backfill, content_hash, n_bytes) on landing.payload
to touchline_api;
"""

DOWNGRADE = """
revoke select on landing.fixture_observation, landing.score_observation, landing.odds_observation, landing.set_aside
from touchline_api;
revoke select (payload_id, source, endpoint, observed_at, is_backfill, content_hash, n_bytes) on landing.payload
from touchline_api;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
