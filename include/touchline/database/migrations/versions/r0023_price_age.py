"""What each collection of a kind of facts came to, and how old the prices are of which predictions are made."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

UPGRADE = """
create view ops.collection as
select
    kind,
    run_id,
    max(as_of) as as_of,
    max(started_at) as started_at,
    coalesce(bool_or(
        status = 'success' and (
            (detail ->> 'requests')::int = 0
            or (detail ->> 'new_payloads')::int + (detail ->> 'seen_again')::int + (detail ->> 'not_offered')::int > 0
        )
    ), false) as is_answered
from ops.pipeline_run
cross join unnest(string_to_array(split_part(substr(step, length('collect_') + 1), '/', 1), '+')) as kind
where step like 'collect\\_%' and status <> 'running'
group by kind, run_id;
comment on view ops.collection is 'One row a kind of facts and run that was to collect it.';
comment on column ops.collection.is_answered is 'One of its sources gave something, if only that nothing has changed; '
    'a run that had nothing to ask has missed nothing.';

create view ops.price_age as
select
    max(as_of) filter (where is_answered) as prices_as_of,
    not (array_agg(is_answered order by as_of desc, started_at desc))[1]
    and max(as_of) > max(as_of) filter (where is_answered) + interval '1 hour' as is_stale
from ops.collection
where kind = 'odds';
comment on view ops.price_age is 'One row: how old the prices are.';
comment on column ops.price_age.prices_as_of is 'When a source of prices last answered (UTC); null before the first '
    'time.';
comment on column ops.price_age.is_stale is 'The last collection of odds was not answered, and came more than an hour '
    'after the last one that was; null before the first.';
grant select on ops.collection, ops.price_age
to touchline_ingest, touchline_transform, touchline_model, touchline_api;
"""

DOWNGRADE = """
-- And the views of dbt that read it, which the next build makes again.
drop view ops.price_age cascade;
drop view ops.collection;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
