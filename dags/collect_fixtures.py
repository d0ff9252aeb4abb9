"""### Collect fixtures

**What** asks the source for the list of fixtures and lands it: payload first, then observations.
**When** daily at 05:00 UTC, and on demand.
**Reads** the source of `TOUCHLINE_SOURCE`. **Publishes** `landing/fixtures` when the warehouse is behind.

**When `collect` fails**: its log says which address or file could not be read; what was read is kept. Source down:
nothing to do, the next run asks again. Format changed: the payload is in `landing.payload`, the reasons in
`landing.rejected_row`; correct the parser and run again, stored payloads are parsed anew. Clear the task to retry.
"""

from __future__ import annotations

from airflow.sdk import dag

from touchline.operations import names
from touchline_tasks import DAG_DEFAULTS, collect_from_sources


@dag(schedule="0 5 * * *", tags=[names.TAG, "collect"], doc_md=__doc__, **DAG_DEFAULTS)
def collect_fixtures() -> None:
    collect_from_sources("fixtures")


collect_fixtures()
