"""The question whether a version is to be champion, as Airflow asks it, and its answer from the command line."""

from __future__ import annotations

from typing import Final

from touchline.operations import names, status
from touchline.operations.airflow_api import airflow_of
from touchline.settings import Settings

APPROVE_TASK: Final = "approve"
# The operator's word for yes.
YES: Final = "Approve"


def subject_of(model_name: str, version: str) -> str:
    """The question, in one line."""
    return f"Promote version {version} of {model_name}?"


def settle_question(settings: Settings, version: str) -> int:
    """Answer with yes what Airflow still asks about a version that was promoted by hand; returns how often it asked.

    Where Airflow does not run nothing is answered; an answer that comes later finds the version promoted.
    """
    states = {each.service: each.state for each in status.status(settings).services}
    if states.get(status.AIRFLOW_API) != "running":
        return 0
    subject = subject_of(settings.model_name, version)
    with airflow_of(settings) as api:
        asked = [run_id for run_id, of in api.open_questions(names.APPROVE_PROMOTION) if of == subject]
        for run_id in asked:
            api.answer(names.APPROVE_PROMOTION, run_id, APPROVE_TASK, YES)
    return len(asked)
