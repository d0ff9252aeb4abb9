"""### Build the warehouse

**What** checks what has landed, builds `core` and `features` with dbt, rates the teams, checks the result, renews the
analytics views and puts the features of the fixtures soon to be predicted into the online store. A build with
nothing new since the last one (same landing, same `as_of`, same code) ends at once.
**When** any landing asset is new. **Reads** `landing.*`. **Publishes** `warehouse/features` (predictions follow) and
`warehouse/results` (settling follows).

**When a task fails**, nothing after it runs, and what it would have changed is as it was.
* `check_landing`, `check_features`: a quality gate failed on rows that cannot be assigned to competitions. The log
  names the expectation and what to do; all results are in `ops.quality_result` and in Data Docs. Correct the cause,
  then clear the task. Other failures stop nothing: facts are left out, competitions held (docs/quality.md).
* `build_core`, `build_features`, `build_analytics`: dbt. The log names the model or test; its compiled SQL is in
  `<home>/dbt`. Repeat by hand with `touchline step build_core`, or all steps with `touchline build`.
* `update_ratings`: ratings are written in one transaction; clear the task.
  `touchline build --full` builds everything anew.
* `detect_anomalies`: it warns only, and nothing waits for it; findings are in `ops.anomaly` (`touchline anomalies
  list`). A failure comes from the database or a defect: clear the task; the next search covers one that was missed.
* `publish_features`: the online store. Until it works predictions read the offline tables; clear the task.
"""

from __future__ import annotations

from airflow.sdk import dag

from daily_backfills import when_new
from touchline.operations import names
from touchline_assets import LANDING_FIXTURES, LANDING_ODDS, LANDING_SCORES
from touchline_tasks import DAG_DEFAULTS, step


@dag(
    schedule=when_new(LANDING_FIXTURES | LANDING_ODDS | LANDING_SCORES),
    tags=[names.TAG, "warehouse"],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def build_warehouse() -> None:
    landing = step("check_landing")
    as_of = landing["as_of"]
    core, ratings, features = (
        step("build_core", as_of),
        step("update_ratings", as_of),
        step("build_features", as_of),
    )
    checked = step("check_features", as_of)
    landing >> core >> ratings >> features >> checked
    checked >> step("build_analytics", as_of) >> step("publish_features", as_of)
    checked >> step("detect_anomalies", as_of)


build_warehouse()
