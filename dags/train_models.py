"""### Train the models

**What** takes the training set through Feast, evaluates all candidates season by season, fits, calibrates, logs and
registers a version in MLflow with its model card, and lets the gate decide: `champion`, `challenger` in the
shadow, or refused (`docs/training.md`). Where tuned parameters differ from the champion's, both are trained. With the
data, code and parameters of the last version it does nothing.
**When** nightly at 03:00 UTC, when drift was found, and when tuning found something; the asset event that started the
run says which. **Reads** `features.*`, `core.*`. **Publishes** `models/champion` until predictions were made with the
champion, and `models/candidate` when a version waits for approval and nobody was asked.

**When `train` fails**: predictions go on with the previous champion. The log says which candidate and season failed.
MLflow not reachable: `touchline status`, then clear the task. A champion that should not have been:
`touchline rollback model` moves the alias back. A version that waits for approval fails nothing:
`approve_promotion` asks about it, and `touchline models promote VERSION` approves it, too.
"""

from __future__ import annotations

from airflow.sdk import AssetOrTimeSchedule, dag

from touchline.operations import names
from touchline_assets import DRIFT, TUNED
from touchline_tasks import TRAINING, TRAINING_DAG_DEFAULTS, cron, step


@dag(
    schedule=AssetOrTimeSchedule(timetable=cron("0 3 * * *"), assets=DRIFT | TUNED),
    tags=[names.TAG, "models"],
    doc_md=__doc__,
    **TRAINING_DAG_DEFAULTS,
)
def train_models() -> None:
    step("train", **TRAINING)


train_models()
