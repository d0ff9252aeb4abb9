"""What remains to be done: the current inputs of the steps, and whether they were worked in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from touchline.clock import RunClock
from touchline.database.engine import Connection, connect, scalar
from touchline.operations import names
from touchline.operations.code import code_digest
from touchline.operations.records import Inputs, last_inputs, n_landed
from touchline.settings import Settings

if TYPE_CHECKING:
    from touchline.registry.tracking import Registry

# With the wall clock every collection has a new as_of; features of fixtures are made anew this often at least.
LIVE_REBUILD_AFTER = timedelta(hours=6)


def build_inputs(connection: Connection, as_of: datetime) -> dict[str, Any]:
    """What a build depends on: what has landed by `as_of` (UTC), that instant, and the code."""
    return {
        "landed": n_landed(connection, as_of),
        "as_of": as_of.isoformat(),
        "code": code_digest(),
    }


def last_build(connection: Connection) -> dict[str, Inputs | None]:
    """The inputs of a step that works on the last build."""
    return {"build": last_inputs(connection, names.BUILT)}


def prediction_inputs(registry: Registry, connection: Connection, as_of: datetime) -> dict[str, Any]:
    """What predictions depend on: the last build, the champion, the versions that forecast in its shadow, and the
    competitions that are held as of an instant (UTC)."""
    from touchline.quality.gates import PREDICTIONS
    from touchline.quality.holds import held_competitions
    from touchline.registry.models import predicting_versions

    champion, challengers = predicting_versions(registry)
    return {
        **last_build(connection),
        "champion": champion,
        "challengers": list(challengers),
        # Their own gate holds and releases while they are made.
        "held": sorted(held_competitions(connection, as_of, without_gate=PREDICTIONS)),
    }


def has_seen_build(connection: Connection, step: str) -> bool:
    """True when a consumer of the build has succeeded with the last one."""
    seen, built = last_inputs(connection, step), last_inputs(connection, names.BUILT)
    return seen is not None and built is not None and seen["build"] == built


def put_back(connection: Connection, as_of: datetime) -> tuple[datetime, datetime] | None:
    """When the last build moved the warehouse back in time: the instants (UTC) as of which it stands, and stood.

    Builds as of later than `as_of` do not count: for a run of that instant they have not been.
    """
    query = "select max(as_of) from ops.pipeline_run where step = %s and status = 'success' and as_of <= %s"
    last, before = last_inputs(connection, names.BUILT), scalar(connection, query, (names.BUILT, as_of))
    if last is None or before is None:
        return None
    stands = datetime.fromisoformat(last["as_of"])
    return (stands, before) if stands < before else None


def warehouse_is_behind(settings: Settings, clock: RunClock) -> bool:
    """True when a build, or a step that follows it, has work to do."""
    with connect(settings, "ingest") as connection:
        wanted = build_inputs(connection, clock.as_of)
        settled = [last_inputs(connection, step) for step in names.BUILD_STEPS]
        consumed = all(has_seen_build(connection, step) for step in ("predict", "settle"))
    built = settled[-1]
    if not consumed or built is None or any(inputs != built for inputs in settled):
        return True
    moved = abs(clock.as_of - datetime.fromisoformat(built["as_of"]))
    is_old = moved >= LIVE_REBUILD_AFTER if clock.mode == "live" else bool(moved)
    # A record of an older version may lack an input: then the build is due.
    return is_old or any(wanted[name] != built.get(name) for name in ("landed", "code"))
