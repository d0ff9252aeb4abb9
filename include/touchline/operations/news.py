"""Which assets are new after a step, and what is new of each: the extras of Airflow's asset events.

An event says what its consumer will find: competitions, first and last match day and number of matches, or the version
or the alarm that is the reason. It is for people, and for programs outside. The consumers inside read the records
(`due`, `ops.seen_input`, `ops.match_change`), which no lost or doubled event can make wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from touchline.database.engine import connect, rows
from touchline.database.queries import query
from touchline.operations import due, names
from touchline.operations.pipeline import News, Run
from touchline.operations.records import last_inputs
from touchline.settings import Role
from touchline.warehouse.extent import Extent

# What a build of core has worked in, as recorded with it, by the asset that is new with it.
CHANGES = {names.FEATURES: "matches", names.RESULTS: "played"}
CONSUMERS = {names.FEATURES: "predict", names.RESULTS: "settle"}


def landed(run: Run, asset: str) -> News:
    """What the next build will work in."""
    return {asset: [_extent(run, "ingest", "landed_matches")]}


def built(run: Run, _: Any) -> News:
    """What the last build worked in, for each consumer that has not succeeded with it."""
    with connect(run.settings, "ingest") as connection:
        unseen = [asset for asset, step in CONSUMERS.items() if not due.has_seen_build(connection, step)]
        found = rows(
            connection,
            "select detail from ops.pipeline_run where step = 'build_core' and status = 'success' "
            "order by started_at desc limit 1",
        )
    detail = found[0]["detail"] if found else {}
    # A build of an older version has no such record.
    return {asset: [detail.get(CHANGES[asset]) or {}] for asset in unseen}


def predicted(run: Run, _: Any) -> News:
    """The matches that got a prediction in this run; nothing when all had theirs."""
    return _if_any(names.PREDICTIONS, _extent(run, "api", "predicted_matches"))


def settled(run: Run, _: Any) -> News:
    """The matches whose predictions were settled in this run; nothing when there was none."""
    return _if_any(names.SETTLED, _extent(run, "api", "settled_matches"))


def unused_models(run: Run, _: Any) -> News:
    """Champion and challengers are new until they have predicted on this build."""
    with connect(run.settings, "ingest") as connection:
        inputs = due.prediction_inputs(run.registry, connection, run.as_of)
        is_used = last_inputs(connection, "predict") == inputs
    return {} if is_used else {names.CHAMPION: [{name: inputs[name] for name in ("champion", "challengers")}]}


def models(run: Run, report: Any) -> News:
    """Models that are to predict, and a version that waits for approval until a person was asked about it."""
    return {**unused_models(run, report), **_unasked_candidate(run)}


def unused_tuning(run: Run, _: Any) -> News:
    """What tuning found is new until models were trained with it."""
    from touchline.registry.tuning import last_tuning

    with connect(run.settings, "ingest") as connection:
        trained = last_inputs(connection, "train") or {}
    found = last_tuning(run.registry)
    return {} if trained.get("tuning") == found else {names.TUNED: [{"tuning": found}]}


def alarms(_: Run, report: Any) -> News:
    """An event for each alarm, with the metric and by how much."""
    reasons = [
        {"metric": each.metric, "subject": each.subject, "value": each.value, "threshold": each.threshold}
        for each in report.alarms
    ]
    return {names.DRIFT: reasons} if reasons else {}


def told(extra: Mapping[str, Any]) -> str:
    """An event's extra in words; one that came from outside may hold anything."""
    said = {name: value for name, value in extra.items() if name != "as_of"}
    if said.keys() != {field.name for field in dataclasses.fields(Extent)}:
        return ", ".join(f"{name} {value}" for name, value in said.items()) or "no reason given"
    if not said["n_matches"]:
        return "no match"
    matches = "1 match" if said["n_matches"] == 1 else f"{said['n_matches']} matches"
    days = dict.fromkeys(str(said[name]) for name in ("first_match_on", "last_match_on"))
    return f"{matches} of {', '.join(map(str, said['competitions']))}, {' to '.join(days)}"


def _unasked_candidate(run: Run) -> News:
    if not run.settings.promotion.needs_approval:
        return {}
    from touchline.registry.approval import waiting_candidate

    found = waiting_candidate(run.registry)
    return {} if found is None or found.was_asked else {names.CANDIDATE: [{"candidate": found.version}]}


def _if_any(asset: str, extent: Mapping[str, Any]) -> News:
    return {asset: [extent]} if extent["n_matches"] else {}


def _extent(run: Run, role: Role, name: str) -> dict[str, Any]:
    parameters = {"run_id": run.run_id, "as_of": run.as_of}
    with connect(run.settings, role) as connection:
        (row,) = rows(connection, query(f"operations/sql/{name}"), parameters)
    return dataclasses.asdict(Extent.of(**row))
