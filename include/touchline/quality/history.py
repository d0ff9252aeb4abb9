"""The findings of rules and gates so far, for people, metrics and the board."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from touchline.database.engine import connect, rows
from touchline.database.queries import query
from touchline.quality.rules import catalogue
from touchline.settings import Settings

_LAST_RUNS: Final = """
(select run_id from landing.payload_parsed order by parsed_at desc limit 1)
union
(select run_id from ops.quality_result where gate = 'landing' order by quality_result_id desc limit 1)
"""


@dataclass(frozen=True)
class RuleCount:
    """A rule and the number of its breaches: in the last run (or the one asked for) and overall."""

    rule: str
    applies_to: str
    severity: str
    sentence: str
    advice: str
    n_in_run: int
    n_ever: int


@dataclass(frozen=True)
class GateRun:
    """One run of a gate; `failed` names its failed expectations. Times are UTC."""

    run_id: str
    gate: str
    as_of: datetime
    checked_at: datetime
    is_clean: bool
    n_expectations: int
    n_blocking: int
    n_quarantining: int
    n_warning: int
    failed: tuple[str, ...]


@dataclass(frozen=True)
class QuarantinedFact:
    """A fact that is left out of everything built, and why."""

    quarantined_fact_id: int
    competition: str
    kind: str
    rule: str
    reason: str
    bookmaker: str | None
    market: str | None
    line: float | None
    payload_id: int
    source: str
    endpoint: str
    observed_at: datetime


def count_rules(settings: Settings, run_id: str | None = None) -> list[RuleCount]:
    """Every rule of the catalogue with its counts; without `run_id` the newest collection and landing gate count."""
    with connect(settings, "transform") as connection:
        found = rows(connection, query("quality/sql/breaches"))
        wanted = {run_id} if run_id else {row["run_id"] for row in rows(connection, _LAST_RUNS)}
    return [
        RuleCount(
            rule.rule_id,
            rule.applies_to,
            rule.severity,
            rule.sentence,
            rule.advice,
            sum(int(row["n"]) for row in found if row["rule"] == rule.rule_id and row["run_id"] in wanted),
            sum(int(row["n"]) for row in found if row["rule"] == rule.rule_id),
        )
        for rule in catalogue().values()
    ]


def gate_history(settings: Settings, gate: str | None, limit: int) -> list[GateRun]:
    """The last runs of a gate (of all gates), the newest first."""
    with connect(settings, "transform") as connection:
        found: list[dict[str, Any]] = rows(
            connection, query("quality/sql/gate_runs"), {"gate": gate, "limit": limit}
        )
    return [GateRun(**{**row, "failed": tuple(row["failed"] or ())}) for row in found]


def quarantined_facts(
    settings: Settings, rule: str | None, competition: str | None, limit: int
) -> list[QuarantinedFact]:
    """Facts that are left out, the newest first (of one rule, of one competition)."""
    parameters = {"rule": rule, "competition": competition, "limit": limit}
    with connect(settings, "transform") as connection:
        return [
            QuarantinedFact(**row)
            for row in rows(connection, query("quality/sql/quarantined_facts"), parameters)
        ]
