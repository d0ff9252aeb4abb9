"""### Approve a promotion

**What** asks a person whether a version that has passed the gate is to be champion, with its model card, and promotes
it when the answer is yes. Otherwise the champion stays, and after a week without an answer, too. Nothing waits for it.
**When** training has made such a version (`models/candidate`), which it does only with
`TOUCHLINE_PROMOTION_NEEDS_APPROVAL`. Answer under "Required Actions" of the run, or with `touchline models promote
VERSION`. **Reads** MLflow. **Publishes** `models/champion` when the version was promoted.

**When a task fails**
* `approve`: MLflow could not be reached: `touchline status`, then clear the task. The version waits meanwhile.
* `promote`: the version was approved and is not champion yet. The log says why: MLflow not reachable, or this code
  cannot forecast with the version. Clear the task, or run `touchline models promote VERSION`.
"""

from __future__ import annotations

from airflow.sdk import dag

from daily_backfills import when_new
from touchline.operations import names
from touchline_approval import ask_and_promote
from touchline_assets import CANDIDATE
from touchline_tasks import APPROVAL_DAG_DEFAULTS


@dag(schedule=when_new([CANDIDATE]), tags=[names.TAG, "models"], doc_md=__doc__, **APPROVAL_DAG_DEFAULTS)
def approve_promotion() -> None:
    ask_and_promote()


approve_promotion()
