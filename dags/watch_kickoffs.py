"""### Watch the kick-offs

**What** checks the promise that every prediction is in the ledger an hour before kick-off, whatever runs or does not.
**When** an hour before every kick-off, and every 6 hours (`plugins/matchday_timetable.py`). **Reads** the ledger, the
fixtures. **Publishes** nothing; its failure is the alert.

**When a task fails**
* `predicted_in_time`: a match that kicks off within the hour has no prediction. The log says which, why and what to
  do; `touchline why` tells more of one. There is time until kick-off: correct the cause, then `touchline predict`. It
  is not tried again; the next run judges anew.
"""

from __future__ import annotations

from airflow.sdk import dag

from matchday_timetable import KickoffTimetable
from touchline.operations import names
from touchline_alerts import send_what_is_new
from touchline_tasks import DAG_DEFAULTS, step


@dag(
    schedule=KickoffTimetable(), tags=[names.TAG, "predictions"], doc_md=__doc__,
    # What a maintenance has kept back is sent some time after it, whether anything else fails or not.
    on_success_callback=send_what_is_new,
    **DAG_DEFAULTS,
)  # fmt: skip
def watch_kickoffs() -> None:
    step(names.PREDICTED_IN_TIME)


watch_kickoffs()
