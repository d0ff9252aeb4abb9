"""### Tune the models

**What** searches for better parameters with Optuna, within `TOUCHLINE_TUNING_BUDGET_SECONDS` (0 turns it off), on the
seasons before those on which versions are compared. What it finds is stored in MLflow, and `train_models` lets it
challenge the champion; nothing else changes.
**When** Sundays at 04:00 UTC, after the night's training. **Reads** `features.*`, `core.*`. **Publishes**
`models/tuned` until models were trained with what was found.

**When `tune` fails**: training goes on with the previous parameters. MLflow not reachable: `touchline status`, then
clear the task. It ran into its time limit: lower the budget, of which the last trial may take some minutes more.
"""

from __future__ import annotations

from airflow.sdk import dag

from touchline.operations import names
from touchline_tasks import TRAINING, TRAINING_DAG_DEFAULTS, cron, step


@dag(schedule=cron("0 4 * * 0"), tags=[names.TAG, "models"], doc_md=__doc__, **TRAINING_DAG_DEFAULTS)
def tune_models() -> None:
    step("tune", **TRAINING)


tune_models()
