"""### Collect fixtures

**What** asks the source for the list of fixtures and lands it: payload first, then observations.
**When** daily at 05:00 UTC, and on demand.
**Reads** the source of `TOUCHLINE_SOURCE`. **Publishes** `landing/fixtures` when the warehouse is behind.

**When `collect` fails**: its log says which address or file could not be read; what was read is kept. Source down:
nothing to do, the next run asks again. Format changed: the payload is in `landing.payload`, the reasons in
`landing.rejected_row`; correct the parser and run again, stored payloads are parsed anew. Clear the task to retry.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from touchline.operations import names, pipeline
from touchline_assets import WHEN_NEW
from touchline_tasks import DAG_DEFAULTS, run_step


@dag(schedule="0 5 * * *", tags=[names.TAG, "collect"], doc_md=__doc__, **DAG_DEFAULTS)
def collect_fixtures() -> None:
    collect()


@task(outlets=[WHEN_NEW[names.LANDING_FIXTURES]], pool=names.LANDING_POOL)
def collect() -> dict[str, Any]:
    return run_step(pipeline.collect_fixtures)


collect_fixtures()
