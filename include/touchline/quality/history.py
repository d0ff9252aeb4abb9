"""The findings of rules and gates so far, for people, metrics and the board."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from touchline.database.engine import connect, rows
from touchline.quality.rules import catalogue
from touchline.settings import Settings

# Rows and values refused while parsing, facts found at the gate, and kick-off times that were filled.
_COUNTS: Final = """
select rule, run_id, count(*) as n, max(recorded_at) as at from landing.rejected_row group by rule, run_id
union all
select rule, run_id, sum(n), max(checked_at)
from (
    -- A gate that was tried again in the same run counts once.
    select distinct on (run_id, rule, competition) * from ops.rule_result
    order by run_id, rule, competition, attempt desc
) as said
group by rule, run_id
union all
select 'kickoff_time_customary', run_id, count(*), max(recorded_at)
from landing.fixture_observation inner join landing.payload using (payload_id)
where not is_kickoff_time_known group by run_id
"""
_LAST_RUNS: Final = """
(select run_id from landing.payload_parsed order by parsed_at desc limit 1)
union
(select run_id from ops.quality_result where gate = 'landing' order by quality_result_id desc limit 1)
"""
_GATES: Final = """
select run_id, gate, min(as_of) as as_of, max(checked_at) as checked_at,
    bool_and(success) filter (where suite = 'gate') as is_clean,
    count(*) filter (where suite <> 'gate') as n_expectations,
    count(*) filter (where suite <> 'gate' and not success and severity = 'block') as n_blocking,
    count(*) filter (where suite <> 'gate' and not success and severity = 'quarantine') as n_quarantining,
    count(*) filter (where suite <> 'gate' and not success and severity = 'warn') as n_warning,
    array_agg(distinct suite || '.' || coalesce(column_name, expectation)) filter (
        where suite <> 'gate' and not success
    ) as failed
from ops.quality_result
where %(gate)s::text is null or gate = %(gate)s
group by run_id, gate
order by max(quality_result_id) desc
limit %(limit)s
"""
_QUARANTINED: Final = """
select bad.quarantined_fact_id, bad.kind, bad.rule, bad.reason, bad.bookmaker, bad.market, bad.line, bad.payload_id,
    bad.observed_at, fixture.competition, payload.source, payload.endpoint
from landing.quarantined_fact as bad
inner join landing.payload using (payload_id)
inner join lateral (
    select competition from landing.fixture_observation where fixture_key = bad.fixture_key limit 1
) as fixture on true
where (%(rule)s::text is null or rule = %(rule)s) and (%(competition)s::text is null or competition = %(competition)s)
order by quarantined_fact_id desc
limit %(limit)s
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
        found = rows(connection, _COUNTS)
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
        found: list[dict[str, Any]] = rows(connection, _GATES, {"gate": gate, "limit": limit})
    return [GateRun(**{**row, "failed": tuple(row["failed"] or ())}) for row in found]


def quarantined_facts(
    settings: Settings, rule: str | None, competition: str | None, limit: int
) -> list[QuarantinedFact]:
    """Facts that are left out, the newest first (of one rule, of one competition)."""
    parameters = {"rule": rule, "competition": competition, "limit": limit}
    with connect(settings, "transform") as connection:
        return [QuarantinedFact(**row) for row in rows(connection, _QUARANTINED, parameters)]
