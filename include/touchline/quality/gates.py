"""Gates: what each checks, and what a failure means: a fact left out, a competition held, or the run stopped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from psycopg.types.json import Jsonb

from touchline.database.engine import Connection, connect, rows, scalar
from touchline.errors import QualityGateFailed
from touchline.quality.findings import Finding, GateReport
from touchline.quality.holds import Breach, active_holds, keep_holds, not_accepted
from touchline.quality.landing_suites import landing_suites
from touchline.quality.output_suites import prediction_suites, training_suites
from touchline.quality.screening import screen
from touchline.quality.suite import Suite
from touchline.quality.validation import project_folder, validate
from touchline.quality.warehouse_suites import Window, core_suites, feature_suites
from touchline.settings import Role, Settings

# A payload that is still to be parsed holds the mark back: it is checked when it has been.
WATERMARK = """
select coalesce(
    (select min(payload_id) - 1 from landing.payload
     where not exists (select from landing.payload_parsed as parsed where parsed.payload_id = payload.payload_id)),
    (select max(payload_id) from landing.payload),
    0
)
"""
# Holding a competition does not move the mark: its rows are looked at again until they pass or are accepted.
LAST_CLEAN = """
select as_of, (observed ->> 'newest_payload_id')::bigint as newest_payload_id
from ops.quality_result
where gate = %s and suite = 'gate' and success and as_of <= %s
order by quality_result_id desc limit 1
"""
PREDICTIONS = "predictions"
# Kick-offs move, and results are corrected: rows near the last pass are looked at again.
MARGIN = timedelta(days=3)


def check_landing(settings: Settings, as_of: datetime, run_id: str) -> GateReport:
    """Check what has landed since this gate last passed; facts that cannot be right go to landing.quarantined_fact.

    Raises QualityGateFailed for what cannot be pinned to competitions.
    """
    newest, _, passed = _marks(settings, "landing", as_of)
    n_quarantined = screen(settings, passed, as_of, run_id)
    observed = {"newest_payload_id": newest, "n_quarantined": n_quarantined}
    return _pass_gate(settings, "landing", landing_suites(passed, run_id), as_of, run_id, observed)


def check_core(settings: Settings, as_of: datetime, run_id: str, *, everything: bool = False) -> GateReport:
    """Check the core layer alone: what changed since this gate last passed, or all of it. Raises QualityGateFailed."""
    newest, window = _window(settings, "core", as_of, everything=everything)
    return _pass_gate(settings, "core", core_suites(window), as_of, run_id, {"newest_payload_id": newest})


def check_features(
    settings: Settings, as_of: datetime, run_id: str, *, everything: bool = False
) -> GateReport:
    """Check core and the features built as of `as_of`; see `check_core`. Raises QualityGateFailed."""
    newest, window = _window(settings, "features", as_of, everything=everything)
    suites = [*core_suites(window), *feature_suites(window)]
    return _pass_gate(settings, "features", suites, as_of, run_id, {"newest_payload_id": newest})


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
    """Check predictions before they are written; one row a prediction, named by `row_key`.

    Those of the report's `held` competitions must not be written. Raises QualityGateFailed.
    """
    return _pass_gate(
        settings, PREDICTIONS, prediction_suites(), as_of, run_id, {"n": len(frame)}, frame, role="model"
    )


def data_docs(settings: Settings) -> Path:
    """The index page of the Data Docs."""
    return project_folder(settings) / "gx" / "uncommitted" / "data_docs" / "local_site" / "index.html"


def _marks(settings: Settings, gate: str, as_of: datetime) -> tuple[int, datetime | None, int]:
    """The newest payload that is ready, and the time (UTC) and newest payload of this gate's last pass."""
    with connect(settings, "transform") as connection:
        newest = scalar(connection, WATERMARK)
        passed = rows(connection, LAST_CLEAN, (gate, as_of))
    if not passed:
        return newest, None, 0
    return newest, passed[0]["as_of"], passed[0]["newest_payload_id"] or 0


def _window(settings: Settings, gate: str, as_of: datetime, *, everything: bool) -> tuple[int, Window]:
    newest, passed_at, payload_id = _marks(settings, gate, as_of)
    if everything or passed_at is None:
        return newest, Window(as_of, None, 0)
    return newest, Window(as_of, passed_at - MARGIN, payload_id)


def _pass_gate(
    settings: Settings, gate: str, suites: Sequence[Suite], as_of: datetime, run_id: str,
    observed: dict[str, Any], frame: pd.DataFrame | None = None, role: Role = "transform",
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
    report = GateReport(
        gate=gate,
        n_expectations=len(findings),
        n_warnings=sum(not finding.success and finding.severity == "warn" for finding in findings),
        n_quarantined=observed.get("n_quarantined", 0),
        held_because=held,
        findings=tuple(findings),
        data_docs=str(data_docs(settings)),
    )
    if stopping:
        listed = "\n".join(f"  - {finding}" for finding in stopping)
        raise QualityGateFailed(
            f"gate {gate} failed as of {as_of.isoformat()}; nothing downstream was changed:\n{listed}\n"
            f"see {report.data_docs}; look at the rows above in their payload (landing.payload), then correct the "
            "source or the expectation (include/touchline/quality) and run again"
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
    statement = (
        "insert into ops.quality_result (run_id, gate, suite, expectation, column_name, severity, success, "
        "n_unexpected, observed, as_of) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    )
    values: list[tuple[Any, ...]] = [
        (
            run_id, gate, finding.suite, finding.expectation, finding.column, finding.severity, finding.success,
            finding.n_unexpected,
            Jsonb({
                "observed": finding.observed, "samples": list(finding.samples), "advice": finding.advice,
                "competitions": list(finding.competitions),
            }),
            as_of,
        )
        for finding in findings
    ]  # fmt: skip
    passed = observed["n_blocking"] == 0
    values.append((run_id, gate, "gate", "all", None, "block", passed, None, Jsonb(observed), as_of))
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)
