"""Gates: what each checks, and what a failure does: leave out a fact, hold a competition, or stop the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from psycopg.types.json import Jsonb

from touchline.database.engine import Connection, connect, rows, scalar
from touchline.database.queries import query
from touchline.errors import QualityGateFailed
from touchline.landing.seen import note_seen
from touchline.quality.data_docs import index_page
from touchline.quality.findings import Finding, GateReport
from touchline.quality.holds import Breach, active_holds, keep_holds, not_accepted
from touchline.quality.landing_suites import landing_suites
from touchline.quality.output_suites import prediction_suites, training_suites
from touchline.quality.screening import screen
from touchline.quality.suite import Suite
from touchline.quality.validation import validate
from touchline.quality.warehouse_suites import Window, core_suites, feature_suites
from touchline.settings import Role, Settings

# While it holds something, a gate on the warehouse checks the same rows again until they pass.
LAST_CLEAN = """
select as_of from ops.quality_result
where gate = %s and suite = 'gate' and success and as_of <= %s
order by quality_result_id desc limit 1
"""
# In the order in which they were found.
STORE = """
insert into ops.quality_result
    (run_id, gate, suite, expectation, column_name, severity, success, n_unexpected, observed, as_of)
select %s, %s, suite, expectation, column_name, severity, success, n_unexpected, observed, %s
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::bigint[], %s::jsonb[]) with ordinality
    as finding (suite, expectation, column_name, severity, success, n_unexpected, observed, place)
order by place
"""
PREDICTIONS = "predictions"
# Kick-offs move and results are corrected, so rows near the last pass are checked again.
MARGIN = timedelta(days=3)


def check_landing(settings: Settings, as_of: datetime, run_id: str) -> GateReport:
    """Check what has landed since this gate last passed. Impossible facts go to landing.quarantined_fact.

    Raises QualityGateFailed for a failure that cannot be assigned to competitions.
    """
    with connect(settings, "transform") as connection:
        held = {
            hold.competition
            for hold in active_holds(connection, as_of)
            if (hold.gate, hold.suite) == ("landing", "landing_payload")
        }
    found = screen(settings, as_of, run_id)
    suites = landing_suites(as_of, run_id, found.attempt, sorted(held))
    observed = {"n_quarantined": found.n_left_out}
    return _pass_gate(settings, "landing", suites, as_of, run_id, observed, inputs=found.inputs)


def check_core(settings: Settings, as_of: datetime, run_id: str, *, everything: bool = False) -> GateReport:
    """Check only the core layer: what changed since this gate last passed, or all of it. Raises QualityGateFailed."""
    suites = core_suites(_window(settings, "core", as_of, everything=everything))
    return _pass_gate(settings, "core", suites, as_of, run_id, {}, inputs=_in_core(settings, as_of))


def check_features(
    settings: Settings, as_of: datetime, run_id: str, *, everything: bool = False
) -> GateReport:
    """Check core and the features built as of `as_of`; see `check_core`. Raises QualityGateFailed."""
    window = _window(settings, "features", as_of, everything=everything)
    suites = [*core_suites(window), *feature_suites(window)]
    return _pass_gate(settings, "features", suites, as_of, run_id, {}, inputs=_in_core(settings, as_of))


def check_training(settings: Settings, frame: pd.DataFrame, as_of: datetime, run_id: str) -> GateReport:
    """Check a training frame (see `touchline.features.training`) before a model learns from it.

    The report's `held` competitions must be left out. Raises QualityGateFailed.
    """
    difference = frame["home_goals"] - frame["away_goals"]
    closing = [frame[f"closing_price_{side}"] for side in ("home", "draw", "away")]
    keyed = frame.assign(
        row_key=frame["competition"].astype(str) + " " + frame["match_id"].astype(str),
        goals=frame["home_goals"] + frame["away_goals"],
        is_home_win=(difference > 0).astype("float64"),
        n_contradictions=(frame["outcome"] != 1 - np.sign(difference)).astype("int64"),
        closing_overround=1 / closing[0] + 1 / closing[1] + 1 / closing[2],
        seconds_before_as_of=(pd.Timestamp(as_of) - frame["kickoff_at"]).dt.total_seconds(),
    )
    return _pass_gate(
        settings, "training", training_suites(), as_of, run_id, {"n": len(frame)}, keyed, "model"
    )


def check_predictions(settings: Settings, frame: pd.DataFrame, as_of: datetime, run_id: str) -> GateReport:
    """Check predictions before they are written; one row per prediction, identified by `row_key`.

    Those of the report's `held` competitions must not be written. Raises QualityGateFailed.
    """
    return _pass_gate(
        settings, PREDICTIONS, prediction_suites(), as_of, run_id, {"n": len(frame)}, frame, role="model"
    )


def broken_challenger(settings: Settings, frame: pd.DataFrame) -> Mapping[str, str]:
    """Check a challenger's predictions as `check_predictions` does. Maps rows not to write to what they break.

    Nothing is held, because a challenger's predictions are not shown.
    """
    suites = [replace(suite, name=f"{suite.name}_challenger") for suite in prediction_suites()]
    broken: dict[str, str] = {}
    for finding in validate(settings, f"{PREDICTIONS}_challenger", suites, frame, "model"):
        if finding.success or finding.severity != "block":
            continue
        # If a failure cannot be assigned to rows, every row is suspect.
        pinned = (
            [key for _, keys in finding.broken for key in keys] if finding.is_pinned else frame["row_key"]
        )
        broken |= dict.fromkeys(map(str, pinned), f"{finding.suite}.{finding.column or finding.expectation}")
    return broken


def _window(settings: Settings, gate: str, as_of: datetime, *, everything: bool) -> Window:
    with connect(settings, "transform") as connection:
        passed = rows(connection, LAST_CLEAN, (gate, as_of))
    since = None if everything or not passed else passed[0]["as_of"] - MARGIN
    return Window(gate, as_of, since)


def _in_core(settings: Settings, as_of: datetime) -> list[tuple[str, int]]:
    with connect(settings, "transform") as connection:
        tables = (
            "select to_regclass('core.match') is not null and to_regclass('core.match_result') is not null"
        )
        if not scalar(connection, tables):
            return []
        found = rows(connection, query("quality/sql/inputs_in_core"), {"as_of": as_of})
        return [(row["kind"], row["input_id"]) for row in found]


def _pass_gate(
    settings: Settings, gate: str, suites: Sequence[Suite], as_of: datetime, run_id: str,
    observed: dict[str, Any], frame: pd.DataFrame | None = None, role: Role = "transform",
    inputs: Sequence[tuple[str, int]] = (),
) -> GateReport:  # fmt: skip
    findings = validate(settings, gate, suites, frame, role)
    failed = [finding for finding in findings if not finding.success and finding.severity == "block"]
    stopping = [finding for finding in failed if not finding.is_pinned]
    checked = None if frame is None else set(frame["competition"])
    with connect(settings, role) as connection:
        breaches = not_accepted(connection, gate, _breaches(gate, failed), as_of)
        if not stopping:
            keep_holds(connection, gate, breaches, checked, as_of, run_id)
        held = {
            hold.competition: hold.reason for hold in active_holds(connection, as_of) if hold.gate == gate
        }
        _store(
            connection, gate, findings, as_of, run_id,
            {**observed, "n_blocking": len(stopping) + len(breaches), "held": sorted(held)},
        )  # fmt: skip
        # Landed facts are screened once, whatever is held; held competitions are watched by name.
        if inputs and not stopping and (gate == "landing" or not breaches):
            note_seen(connection, f"check_{gate}", inputs, as_of)
    report = GateReport(
        gate=gate,
        n_expectations=len(findings),
        n_warnings=sum(not finding.success and finding.severity == "warn" for finding in findings),
        n_quarantined=observed.get("n_quarantined", 0),
        held_because=held,
        findings=tuple(findings),
        data_docs=str(index_page(settings)) if settings.data_docs and failed else None,
    )
    if stopping:
        listed = "\n".join(f"  - {finding}" for finding in stopping)
        raise QualityGateFailed(
            f"gate {gate} failed as of {as_of.isoformat()}; nothing downstream was changed:\n{listed}\n"
            f"see {report.data_docs or 'ops.quality_result'}; look at the rows above in their payload "
            "(landing.payload), then correct the source or the expectation (include/touchline/quality) and run again"
        )
    return report


def _breaches(gate: str, failed: Sequence[Finding]) -> list[Breach]:
    return [
        Breach(
            competition,
            (gate, finding.suite, finding.expectation, finding.column or ""),
            frozenset(keys),
            f"{finding.suite}.{finding.column or finding.expectation}: {', '.join(keys[:3])}; {finding.advice}",
        )
        for finding in failed
        for competition, keys in finding.broken
        if competition
    ]


def _store(
    connection: Connection, gate: str, findings: Sequence[Finding], as_of: datetime, run_id: str,
    observed: dict[str, Any],
) -> None:  # fmt: skip
    values = [
        (
            finding.suite, finding.expectation, finding.column, finding.severity, finding.success, finding.n_unexpected,
            Jsonb({
                "observed": finding.observed, "samples": list(finding.samples), "advice": finding.advice,
                "competitions": list(finding.competitions),
            }),
        )
        for finding in findings
    ]  # fmt: skip
    values.append(("gate", "all", None, "block", observed["n_blocking"] == 0, None, Jsonb(observed)))
    columns = [list(column) for column in zip(*values, strict=True)]
    connection.execute(STORE, (run_id, gate, as_of, *columns))
