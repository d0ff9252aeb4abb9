"""Gates: run suites through Great Expectations, keep the results, and stop the run when something blocks."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from psycopg.types.json import Jsonb

from touchline.database.engine import connect, scalar, sqlalchemy_url
from touchline.database.locks import FileLock
from touchline.errors import QualityGateFailed
from touchline.quality.suites import Suite, core_suites, feature_suites, landing_suites, prediction_suites
from touchline.settings import Role, Settings

log = logging.getLogger(__name__)

URL_VARIABLE = "TOUCHLINE_QUALITY_URL"
SAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One expectation's outcome; `samples` are up to five offending values with their row's identity."""

    suite: str
    expectation: str
    column: str | None
    severity: str
    success: bool
    observed: str
    n_unexpected: int | None
    samples: tuple[str, ...]

    def __str__(self) -> str:
        where = f"{self.suite}.{self.column}" if self.column else self.suite
        text = f"{self.expectation} on {where}: {self.observed}"
        return text + "".join(f"\n      {sample}" for sample in self.samples)


@dataclass(frozen=True)
class GateReport:
    """What a gate found; `data_docs` is the page with the details."""

    gate: str
    n_expectations: int
    n_warnings: int
    findings: tuple[Finding, ...]
    data_docs: str

    @property
    def summary(self) -> str:
        """One sentence for a log, and the warnings."""
        text = f"Gate {self.gate} passed: {self.n_expectations} expectations, {self.n_warnings} warnings."
        warnings = [finding for finding in self.findings if not finding.success]
        return text + "".join(f"\n  warning: {finding}" for finding in warnings)


# A payload that is still to be parsed holds the mark back: it is checked when it has been.
WATERMARK = """
select coalesce(
    (select min(payload_id) - 1 from landing.payload
     where not exists (select from landing.payload_parsed as parsed where parsed.payload_id = payload.payload_id)),
    (select max(payload_id) from landing.payload),
    0
)
"""


def check_landing(settings: Settings, as_of: datetime, run_id: str) -> GateReport:
    """Check what has landed since this gate last passed. Raises QualityGateFailed."""
    with connect(settings, "transform") as connection:
        newest = scalar(connection, WATERMARK)
        passed = scalar(
            connection,
            "select max((observed ->> 'newest_payload_id')::bigint) from ops.quality_result "
            "where gate = 'landing' and suite = 'gate' and success",
        )
    return _pass_gate(
        settings, "landing", landing_suites(passed or 0), as_of, run_id, {"newest_payload_id": newest}
    )


def check_core(settings: Settings, as_of: datetime, run_id: str) -> GateReport:
    """Check the core layer alone. Raises QualityGateFailed."""
    return _pass_gate(settings, "core", core_suites(), as_of, run_id, {})


def check_features(settings: Settings, as_of: datetime, run_id: str) -> GateReport:
    """Check core and the features built as of `as_of`. Raises QualityGateFailed."""
    return _pass_gate(settings, "features", [*core_suites(), *feature_suites(as_of)], as_of, run_id, {})


def check_predictions(settings: Settings, frame: pd.DataFrame, as_of: datetime, run_id: str) -> GateReport:
    """Check predictions before they are written; one row a prediction, named by `row_key`. Raises QualityGateFailed."""
    return _pass_gate(
        settings, "predictions", prediction_suites(), as_of, run_id, {"n": len(frame)}, frame, role="model"
    )


def data_docs(settings: Settings) -> Path:
    """The index page of the Data Docs."""
    return _folder(settings) / "gx" / "uncommitted" / "data_docs" / "local_site" / "index.html"


def _pass_gate(
    settings: Settings, gate: str, suites: Sequence[Suite], as_of: datetime, run_id: str,
    observed: dict[str, Any], frame: pd.DataFrame | None = None, role: Role = "transform",
) -> GateReport:  # fmt: skip
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    # Great Expectations keeps its project in files; two gates at once would write over each other.
    with FileLock(folder / "lock"):
        findings = _validate(settings, gate, suites, frame, role)
    blocking = [finding for finding in findings if not finding.success and finding.severity == "block"]
    _store(settings, gate, findings, as_of, run_id, role, {**observed, "n_blocking": len(blocking)})
    report = GateReport(
        gate=gate,
        n_expectations=len(findings),
        n_warnings=sum(not finding.success and finding.severity == "warn" for finding in findings),
        findings=tuple(findings),
        data_docs=str(data_docs(settings)),
    )
    if blocking:
        listed = "\n".join(f"  - {finding}" for finding in blocking)
        raise QualityGateFailed(
            f"gate {gate} failed as of {as_of.isoformat()}; nothing downstream was changed:\n{listed}\n"
            f"see {report.data_docs}; look at the rows above in their payload (landing.payload), then correct the "
            "source or the expectation (include/touchline/quality/suites.py) and run again"
        )
    return report


def _validate(
    settings: Settings, gate: str, suites: Sequence[Suite], frame: pd.DataFrame | None, role: Role
) -> list[Finding]:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    os.environ[URL_VARIABLE] = sqlalchemy_url(settings.url(role))
    try:
        context = gx.get_context(mode="file", project_root_dir=str(_folder(settings)))
        context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
        definitions = [_definition(context, suite, frame) for suite in suites]
        checkpoint = context.checkpoints.add_or_update(
            gx.Checkpoint(
                name=gate,
                validation_definitions=definitions,
                actions=[gx.checkpoint.UpdateDataDocsAction(name="data_docs")],
                result_format={
                    "result_format": "SUMMARY",
                    "partial_unexpected_count": SAMPLES,
                    "unexpected_index_column_names": ["row_key"],
                },
            )
        )
        result = checkpoint.run(
            batch_parameters={"dataframe": frame} if frame is not None else None,
        )
    finally:
        del os.environ[URL_VARIABLE]
    return [
        _finding(validation.suite_name, outcome)
        for validation in result.run_results.values()
        for outcome in validation.results
    ]


def _definition(context: Any, suite: Suite, frame: pd.DataFrame | None) -> Any:
    import great_expectations as gx

    if suite.query is None:
        assert frame is not None, "a suite without a query checks a frame"
        source = context.data_sources.add_or_update_pandas("frames")
        batch = source.add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe("all")
    else:
        # The URL is substituted when connecting; it is never written to the project's files.
        source = context.data_sources.add_or_update_postgres(
            suite.name, connection_string=f"${{{URL_VARIABLE}}}", create_temp_table=False
        )
        batch = source.add_query_asset(suite.name, query=suite.query).add_batch_definition_whole_table("all")
    expectations = gx.ExpectationSuite(name=suite.name, expectations=list(suite.expectations()))
    stored = context.suites.add_or_update(expectations)
    return context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=suite.name, data=batch, suite=stored)
    )


def _finding(suite: str, outcome: Any) -> Finding:
    config = outcome.expectation_config
    result = outcome.result or {}
    arguments = {
        name: value
        for name, value in config.kwargs.items()
        if name not in ("column", "batch_id") and value is not None
    }
    rows = result.get("partial_unexpected_index_list") or result.get("partial_unexpected_list") or []
    samples = [_sample(row) for row in rows[:SAMPLES]]
    if "observed_value" in result:
        observed = f"observed {result['observed_value']}, expected {json.dumps(arguments, default=str)}"
    else:
        observed = (
            f"{result.get('unexpected_count', '?')} of {result.get('element_count', '?')} rows, "
            f"expected {json.dumps(arguments, default=str)}"
        )
    raised = _exception(outcome)
    return Finding(
        suite=suite,
        expectation=config.type,
        column=config.kwargs.get("column"),
        severity=(config.meta or {}).get("severity", "block"),
        success=bool(outcome.success),
        observed=f"could not be checked: {raised}" if raised else observed,
        n_unexpected=result.get("unexpected_count"),
        samples=tuple(samples) if not outcome.success else (),
    )


def _sample(row: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items()) if isinstance(row, dict) else str(row)


def _exception(outcome: Any) -> str | None:
    info = outcome.exception_info or {}
    # One record, or one a metric.
    records = (
        [info]
        if "raised_exception" in info
        else [value for value in info.values() if isinstance(value, dict)]
    )
    messages = [str(record.get("exception_message")) for record in records if record.get("raised_exception")]
    return messages[0].strip() if messages else None


def _store(
    settings: Settings, gate: str, findings: Sequence[Finding], as_of: datetime, run_id: str, role: Role,
    observed: dict[str, Any],
) -> None:  # fmt: skip
    statement = (
        "insert into ops.quality_result (run_id, gate, suite, expectation, column_name, severity, success, "
        "n_unexpected, observed, as_of) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    )
    values: list[tuple[Any, ...]] = [
        (
            run_id, gate, finding.suite, finding.expectation, finding.column, finding.severity, finding.success,
            finding.n_unexpected, Jsonb({"observed": finding.observed, "samples": list(finding.samples)}), as_of,
        )
        for finding in findings
    ]  # fmt: skip
    passed = observed["n_blocking"] == 0
    values.append((run_id, gate, "gate", "all", None, "block", passed, None, Jsonb(observed), as_of))
    with connect(settings, role) as connection, connection.cursor() as cursor:
        cursor.executemany(statement, values)


def _folder(settings: Settings) -> Path:
    return settings.home / "gx" / settings.warehouse_database
