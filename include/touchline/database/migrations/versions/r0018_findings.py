"""A refusal is one finding, however many versions of its file hold it."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

UPGRADE = """
alter table landing.rejected_row add column finding_key uuid not null default gen_random_uuid();
-- What was recorded before does not name its row in all cases; its number has to do.
alter table landing.rejected_row disable trigger user;
update landing.rejected_row as rejected
set finding_key = md5(concat_ws('|', payload.source, split_part(payload.endpoint, '?', 1), scope, rule,
    case scope when 'payload' then 'payload ' || payload.payload_id else coalesce(row_text, row_number::text) end,
    coalesce(field, ''), coalesce(value, ''), '1'))::uuid
from landing.payload as payload
where payload.payload_id = rejected.payload_id;
alter table landing.rejected_row enable trigger user;
create index rejected_row_by_finding on landing.rejected_row (finding_key, rejected_row_id);
comment on column landing.rejected_row.finding_key is 'The same in every version of a file that holds the refused '
    'value: MD5 of file, row, field and value. A finding is counted once.';
"""

DOWNGRADE = """
drop index landing.rejected_row_by_finding;
alter table landing.rejected_row drop column finding_key cascade;
-- The views that read it went with it: the next build makes them again.
delete from ops.layer_build where layer = 'analytics';
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
