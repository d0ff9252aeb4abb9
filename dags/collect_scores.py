"""### Collect scores

**What** asks every source that gives results (`config/sources.yaml`), one task a source, and lands them.
**When** every 6 hours; every 10 minutes while matches are on and for 3 hours after (`plugins/matchday_timetable.py`);
in an Airflow backfill each run collects the matches of its day.
**Reads** the sources in use. **Publishes** `landing/scores` when the warehouse is behind.

**When a task fails**
* `sources`: a setting or `config/sources.yaml` is wrong, or no source that gives this is in use; the log names it.
* `collect`: its log says which address could not be read; what was read is kept. Source down: nothing to do, the next
  run asks again. A source that rests (quota spent, circuit open) is skipped: `touchline sources`. Format changed:
  the payloads are in `landing.payload`, the reasons in `touchline rejects count`; fix the parser, then `touchline
  rejects replay`.
* `collect_rest`: as `collect`. It waits, without a worker, for a source that was slow or has asked for a pause, and
  goes on with what is missing; it is skipped when nothing is.
* `announce`: the facts have landed, the warehouse build was not triggered; clear the task.
* `all_collected`: some source failed (`collect` has its log), or the run is *degraded*: no source has given scores, for
  example because all rest. What came was announced all the same. It is not tried again; the next run judges anew.
"""

from __future__ import annotations

from airflow.sdk import dag

from matchday_timetable import ScoresTimetable
from touchline.operations import names
from touchline_collecting import collect_from_sources
from touchline_tasks import DAG_DEFAULTS


@dag(schedule=ScoresTimetable(), tags=[names.TAG, "collect"], doc_md=__doc__, **DAG_DEFAULTS)
def collect_scores() -> None:
    collect_from_sources("scores")


collect_scores()
