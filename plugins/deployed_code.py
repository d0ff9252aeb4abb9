"""A task on a machine with other code than the installation's refuses to work: it would write what others do not."""

from __future__ import annotations

from airflow.configuration import conf
from airflow.sdk import Variable

from touchline.errors import CodeDiffers
from touchline.operations import names
from touchline.operations.code import code_digest

# Their tasks are forked from the scheduler.
ON_ONE_MACHINE = ("crash_only_executor.CrashOnlyExecutor", "LocalExecutor")
SHOWN = 12


def refuse_other_code() -> None:
    """Raise CodeDiffers when this machine's code is not what `touchline airflow init` or `touchline up` ran last with.

    Another try may come to a machine that has it, or find that this one has it by then.
    """
    if conf.get("core", "executor") in ON_ONE_MACHINE:
        return
    deployed, ours = Variable.get(names.CODE_VARIABLE, default=None), code_digest()
    if deployed not in (None, ours):
        raise CodeDiffers(
            f"this machine has code {ours[:SHOWN]} and the installation has {deployed[:SHOWN]}: bring this machine to "
            "the release of the others and restart its worker; or, if this is the new release, run `touchline airflow "
            "init` with it and restart the scheduler. The task wrote nothing and is tried again"
        )
