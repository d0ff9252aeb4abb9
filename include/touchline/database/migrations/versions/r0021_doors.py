"""Keys of the API are their owner's alone to read."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

READERS = "touchline_ingest, touchline_transform, touchline_model, touchline_api"

UPGRADE = f"""
revoke all on ops.api_key from {READERS};
"""

DOWNGRADE = f"""
grant select on ops.api_key to {READERS};
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
