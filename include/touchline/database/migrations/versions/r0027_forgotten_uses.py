"""Uses of keys go after the time that is promised for them, through one function that removes nothing else."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

UPGRADE = """
create function ops.forget_key_uses(days integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    n bigint;
begin
    -- Whoever may call it empties no audit log of the present.
    if days < 30 then
        raise exception 'uses of keys are kept for 30 days at least' using errcode = 'insufficient_privilege';
    end if;
    delete from ops.api_key_use as old
    where
        old.minute < now() - make_interval(days => days)
        and old.minute < (select max(newer.minute) from ops.api_key_use as newer where newer.prefix = old.prefix);
    get diagnostics n = row_count;
    return n;
end $$;
comment on function ops.forget_key_uses(integer) is 'Deletes uses older than so many days, 30 at least, by the wall '
    'clock, but for the last minute in which each key was used; returns how many rows.';
revoke execute on function ops.forget_key_uses(integer) from public;
grant execute on function ops.forget_key_uses(integer) to touchline_ingest;
"""

DOWNGRADE = """
drop function ops.forget_key_uses(integer);
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
