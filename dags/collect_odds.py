"""### Collect odds

**What** asks the source for prices and lands them: payload first, then one row a quote that has changed.
**When** every 6 hours; every 15 minutes in the last 3 hours before a kick-off (`plugins/matchday_timetable.py`).
**Reads** the source of `TOUCHLINE_SOURCE`. **Publishes** `landing/odds` when the warehouse is behind.

**When `collect` fails**: its log says which address or file could not be read; what was read is kept. Source down:
nothing to do, the next run asks again; prices of the time between are lost for good, so look before a matchday.
Single prices that cannot be right are in `landing.rejected_row` and fail nothing. Clear the task to retry.
"""

from __future__ import annotations

from airflow.sdk import dag

from matchday_timetable import OddsTimetable
from touchline.operations import names
from touchline_tasks import DAG_DEFAULTS, collect_from_sources


@dag(schedule=OddsTimetable(), tags=[names.TAG, "collect"], doc_md=__doc__, **DAG_DEFAULTS)
def collect_odds() -> None:
    collect_from_sources("odds")


collect_odds()
