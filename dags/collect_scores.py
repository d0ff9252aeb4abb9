"""### Collect scores

**What** asks the source for results (the season files, which also hold the prices of played matches) and lands them.
**When** every 6 hours; every 10 minutes while matches are on and for 3 hours after (`plugins/matchday_timetable.py`).
**Reads** the source of `TOUCHLINE_SOURCE`. **Publishes** `landing/scores` when the warehouse is behind.

**When `collect` fails**: its log says which address or file could not be read; what was read is kept. Source down:
nothing to do, the next run asks again, results are late but not lost. Format changed: the payload is in
`landing.payload`, the reasons in `landing.rejected_row`; correct the parser and run again. Clear the task to retry.
"""

from __future__ import annotations

from airflow.sdk import dag

from matchday_timetable import ScoresTimetable
from touchline.operations import names
from touchline_tasks import DAG_DEFAULTS, collect_from_sources


@dag(schedule=ScoresTimetable(), tags=[names.TAG, "collect"], doc_md=__doc__, **DAG_DEFAULTS)
def collect_scores() -> None:
    collect_from_sources("scores")


collect_scores()
