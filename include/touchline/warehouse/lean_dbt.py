"""What dbt does again in every call, or for every node, and need not: most of the time of a small build.

Each of these replaces something inside dbt-core 1.11, dbt-adapters 1.x or dbt-common 1.x (decision 0018).
"""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def make_lean() -> None:
    """Once in a process."""
    _make_no_message_below_the_log()
    _keep_connections()
    _look_for_plugins_once()


def keep_behaviour_flags_few() -> None:
    """Undo what earlier calls left in dbt's list of behaviour flags.

    Every call makes an adapter, which appends its own flags to the module's list of defaults
    (`BaseAdapter.behavior`, dbt-adapters 1.x). Every flag in that list searches the whole call stack for the name of
    its module, which is only shown in a notice that a flag is off. The hundredth call of a process spent seconds there.
    """
    from dbt.adapters.base import impl
    from dbt_common.behavior_flags import BehaviorFlagRendered

    impl.DEFAULT_BASE_BEHAVIOR_FLAGS[:] = _default_flags()
    BehaviorFlagRendered._default_source = staticmethod(lambda: impl.__name__)  # type: ignore[method-assign]


@cache
def _default_flags() -> tuple[Any, ...]:
    from dbt.adapters.base import impl

    return tuple(impl.DEFAULT_BASE_BEHAVIOR_FLAGS)


def _make_no_message_below_the_log() -> None:
    """Have dbt make no message of an event that its log would not take.

    It makes a message of every event, and a line without the secrets of the environment, before Python's logging drops
    those below `info` (dbt-common 1.x). Small builds spent a fifth of their time there.
    """
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager

    fire = EventManager.fire_event

    def fire_above_debug(manager: Any, e: Any, level: Any = None, *others: Any, **named: Any) -> None:
        if (level or e.level_tag()) not in (EventLevel.DEBUG, EventLevel.TEST):
            fire(manager, e, level, *others, **named)

    EventManager.fire_event = fire_above_debug  # type: ignore[method-assign, assignment]


def _keep_connections() -> None:
    """Let each thread keep its connection for the next node.

    dbt closes it after every node, and a new one costs both sides some milliseconds. `dbtRunner` leaves none open:
    `invocation` closes them after the call.
    """
    from dbt.adapters.contracts.connection import ConnectionState
    from dbt.adapters.postgres.connections import PostgresConnectionManager

    close = PostgresConnectionManager.release

    def release(manager: Any) -> None:
        connection = manager.get_if_exists()
        if connection is None or connection.state != ConnectionState.OPEN or connection.handle.closed:
            close(manager)
            return
        try:
            connection.handle.rollback()
            connection.transaction_open = False
        # Whatever ails it, the next node gets another.
        except Exception:
            close(manager)

    PostgresConnectionManager.release = release  # type: ignore[method-assign, assignment]


def _look_for_plugins_once() -> None:
    """Every call looks through all folders of the path for packages whose names begin with `dbt_`."""
    from dbt.plugins.manager import PluginManager

    PluginManager.get_prefixed_modules = staticmethod(cache(PluginManager.get_prefixed_modules))  # type: ignore[method-assign]
