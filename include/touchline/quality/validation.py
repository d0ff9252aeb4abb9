"""Run suites through Great Expectations: one data context per gate, with the outcomes as findings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import psycopg
from sqlalchemy.exc import ProgrammingError

from touchline.database.engine import connect, sqlalchemy_url
from touchline.quality import data_docs
from touchline.quality.findings import Finding
from touchline.quality.lean_expectations import without_repeated_work
from touchline.quality.suite import Suite
from touchline.settings import Role, Settings

URL_VARIABLE = "TOUCHLINE_QUALITY_URL"
SAMPLES = 5
# Great Expectations names at most this many offending rows, even in its complete result format.
MOST_ROWS = 10_000


def validate(
    settings: Settings, gate: str, suites: Sequence[Suite], frame: pd.DataFrame | None, role: Role
) -> list[Finding]:
    """The outcome of every expectation; `frame` holds the rows for suites without a query.

    Raises DatabaseUnavailable when PostgreSQL went away meanwhile.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    os.environ[URL_VARIABLE] = sqlalchemy_url(settings.url(role))
    sources: dict[str, Any] = {}
    try:
        context = gx.get_context(mode="ephemeral", project_config=data_docs.project(settings))
        context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
        # It would be written, in YAML, into memory that nobody reads, twice a suite.
        context._save_project_config = lambda: None  # type: ignore[method-assign]
        with connect(settings, role) as connection:
            bind = psycopg.ClientCursor(connection).mogrify
            batches = [_batch(context, sources, suite, bind) for suite in suites]
            expected = [
                gx.ExpectationSuite(name=suite.name, expectations=list(suite.expectations()))
                for suite in suites
            ]
            with without_repeated_work():
                results = [_result(*pair, frame) for pair in zip(expected, batches, strict=True)]
            # To Great Expectations, a lost connection is an expectation that failed. This one is lost with its own.
            connection.execute("select")
        findings = [_finding(result.suite_name, outcome) for result in results for outcome in result.results]
        if settings.data_docs:
            is_broken = any(not each.success and each.severity == "block" for each in findings)
            data_docs.keep(settings, context, expected, results, with_pages=is_broken)
    except ProgrammingError as error:
        # A table that is missing or has another shape cannot be judged, so the expectation fails.
        return [_unchecked(gate, error)]
    finally:
        if "warehouse" in sources:
            sources["warehouse"].get_execution_engine().close()
            sources["warehouse"].get_engine().dispose()
        del os.environ[URL_VARIABLE]
    return findings


def _unchecked(gate: str, error: ProgrammingError) -> Finding:
    return Finding(
        suite=gate,
        expectation="query",
        column=None,
        severity="block",
        success=False,
        observed=f"could not be checked: {str(error.orig).strip()}",
        n_unexpected=None,
        samples=(),
        advice="build the layer first (`touchline build`)",
    )


def _batch(context: Any, sources: dict[str, Any], suite: Suite, bind: Callable[..., str]) -> Any:
    """The data of a suite; `sources` holds the data sources that this gate has opened.

    Great Expectations takes queries without parameters, and only such that begin with `select` or `with`: `bind` writes
    the parameters into the query as the driver would.
    """
    if suite.query is None:
        if "frames" not in sources:
            sources["frames"] = context.data_sources.add_or_update_pandas("frames")
        return sources["frames"].add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe("all")
    if "warehouse" not in sources:
        # The URL is substituted when connecting; it is never written to a file.
        sources["warehouse"] = context.data_sources.add_or_update_postgres(
            "warehouse",
            connection_string=f"${{{URL_VARIABLE}}}",
            create_temp_table=True,
            # A suite looks at a temporary table of its own: its queries need no transaction each, and none has to
            # wait for the disk.
            kwargs={
                "isolation_level": "AUTOCOMMIT",
                "connect_args": {"options": "-c synchronous_commit=off"},
            },
        )
    query = f"select * from (\n{bind(suite.query, suite.parameters)}) as checked"  # noqa: S608 - bound
    asset = sources["warehouse"].add_query_asset(suite.name, query=query)
    return asset.add_batch_definition_whole_table("all")


def _result(suite: Any, batch: Any, frame: pd.DataFrame | None) -> Any:
    """The outcomes of a suite. A checkpoint would first store the suite, its data and itself, and compare them.

    Rows are counted first. Which ones are wrong is asked only of the expectations that fail: that takes three more
    queries each, and nearly all pass.
    """
    result = _outcomes(suite, batch, frame, {"result_format": "BASIC"})
    failed = {_identity(outcome) for outcome in result.results if not outcome.success}
    if failed:
        import great_expectations as gx

        again = [each for each in suite.expectations if _identity(each) in failed]
        named = _outcomes(
            gx.ExpectationSuite(name=suite.name, expectations=again), batch, frame,
            {
                # Complete, because every competition with a bad row is held.
                "result_format": "COMPLETE",
                "partial_unexpected_count": MOST_ROWS,
                "unexpected_index_column_names": ["row_key", "competition"],
            },
        )  # fmt: skip
        rows = {_identity(outcome): outcome for outcome in named.results}
        result.results = [rows.get(_identity(outcome), outcome) for outcome in result.results]
    return result


def _identity(given: Any) -> tuple[str, str]:
    """What an expectation or an outcome is about, the same for both."""
    config = getattr(given, "expectation_config", None) or given.configuration
    asked = {name: value for name, value in config.kwargs.items() if name != "batch_id"}
    return config.type, json.dumps(asked, sort_keys=True, default=str)


def _outcomes(suite: Any, batch: Any, frame: pd.DataFrame | None, result_format: dict[str, Any]) -> Any:
    from great_expectations.validator.v1_validator import Validator

    return Validator(
        batch_definition=batch,
        batch_parameters={"dataframe": frame} if frame is not None else None,
        result_format=result_format,
    ).validate_expectation_suite(suite)


def _finding(suite: str, outcome: Any) -> Finding:
    config = outcome.expectation_config
    result = outcome.result or {}
    arguments = {
        name: value
        for name, value in config.kwargs.items()
        if name not in ("column", "batch_id") and value is not None
    }
    meta = config.meta or {}
    rows = result.get("unexpected_index_list") or result.get("partial_unexpected_list") or []
    if "observed_value" in result:
        observed = f"observed {result['observed_value']}, expected {json.dumps(arguments, default=str)}"
    else:
        observed = (
            f"{result.get('unexpected_count', '?')} of {result.get('element_count', '?')} rows, "
            f"expected {json.dumps(arguments, default=str)}"
        )
    raised = _exception(outcome)
    is_failure = not outcome.success
    return Finding(
        suite=suite,
        expectation=config.type,
        column=config.kwargs.get("column"),
        severity=meta.get("severity", "block"),
        success=not is_failure,
        observed=f"could not be checked: {raised}" if raised else observed,
        n_unexpected=result.get("unexpected_count"),
        samples=tuple(_sample(row) for row in rows[:SAMPLES]) if is_failure else (),
        advice=meta.get("advice", "") if is_failure else "",
        # If the list of rows is incomplete, competitions may be missing, so the failure cannot be assigned to them.
        broken=_broken(rows) if is_failure and len(rows) < MOST_ROWS else (),
    )


def _broken(rows: Sequence[Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Row keys by competition."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if isinstance(row, dict):
            found.setdefault(row.get("competition") or "", set()).add(str(row.get("row_key")))
    return tuple((competition, tuple(sorted(keys))) for competition, keys in sorted(found.items()))


def _sample(row: Any) -> str:
    if not isinstance(row, dict):
        return str(row)
    return ", ".join(f"{name}={value}" for name, value in row.items() if name != "competition")


def _exception(outcome: Any) -> str | None:
    info = outcome.exception_info or {}
    # One record, or one per metric.
    records = (
        [info]
        if "raised_exception" in info
        else [value for value in info.values() if isinstance(value, dict)]
    )
    messages = [str(record.get("exception_message")) for record in records if record.get("raised_exception")]
    return messages[0].strip() if messages else None
