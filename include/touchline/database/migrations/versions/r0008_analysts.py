"""analysts: a role for people who write SQL reads core, analytics and the ledger, and nothing else."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Tables and views that dbt makes anew are readable at once.
UPGRADE = """
grant usage on schema core, analytics, ledger to touchline_analyst;
grant select on all tables in schema core, analytics, ledger to touchline_analyst;
alter default privileges for role touchline_transform in schema core, analytics
    grant select on tables to touchline_analyst;
"""

DOWNGRADE = """
alter default privileges for role touchline_transform in schema core, analytics
    revoke select on tables from touchline_analyst;
revoke select on all tables in schema core, analytics, ledger from touchline_analyst;
revoke usage on schema core, analytics, ledger from touchline_analyst;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
