"""Apply the rules of the landing gate: compare new facts with known ones, and leave out impossible ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import sql

from touchline.database.engine import Connection, connect, rows, scalar
from touchline.database.queries import query
from touchline.identity.competitions import where_pairings_meet_once
from touchline.quality.rules import Rule, landing_rules
from touchline.settings import Settings
from touchline.sources.configuration import read_configuration

_FACTS: Final = ("fixture", "score", "quote")
_NEW: Final = """
select 'fixture' as kind where exists (select from fresh_fixture)
union all
select 'score' where exists (select from fresh_score)
union all
select 'quote' where exists (select from fresh_quote)
"""
_QUOTE_COLUMNS: Final = "bookmaker, market, line, is_closing"
_RESULTS: Final = """
insert into ops.rule_result (run_id, rule, competition, attempt, severity, n, samples, row_keys, as_of)
select %(run_id)s, rule, coalesce(competition, ''), %(attempt)s, severity, count(*),
    (array_agg(reason order by reason))[:5],
    -- A rule that holds competitions finds one row of each.
    coalesce(min(row_keys), '{}'), %(as_of)s
from finding group by rule, severity, coalesce(competition, '')
"""
_ATTEMPT: Final = "select coalesce(max(attempt), 0) + 1 from ops.rule_result where run_id = %s"

_LEFT_OUT: Final = """
select count(distinct (kind, fixture_key, payload_id, bookmaker, market, line, is_closing))
from finding where severity = 'quarantine'
"""


@dataclass(frozen=True)
class Screening:
    """What a screening read and found.

    `inputs` are the payloads and replays as (kind, id) of landing.input, `attempt` counts the tries of this run,
    `n_left_out` the facts left out.
    """

    inputs: tuple[tuple[str, int], ...]
    attempt: int
    n_left_out: int


def screen(settings: Settings, as_of: datetime, run_id: str) -> Screening:
    """Apply every rule of the landing gate to the facts known by `as_of` (UTC) that it has not screened yet.

    Facts that break a rule of severity quarantine are written to landing.quarantined_fact, once per rule. The findings
    of every rule are counted in ops.rule_result under `run_id`. Inputs count as screened once the gate records them.
    """
    priorities = read_configuration(settings.sources_file).priorities
    with connect(settings, "transform") as connection:
        attempt = int(scalar(connection, _ATTEMPT, (run_id,)))
        parameters = {
            "as_of": as_of, "run_id": run_id, "attempt": attempt, "priorities": list(priorities["scores"]),
            "odds": list(priorities["odds"]), "meets_once": where_pairings_meet_once(),
        }  # fmt: skip
        for statement in query("quality/checks/prepare").split(";\n"):
            connection.execute(statement, parameters)
        # A rule on facts judges new ones.
        idle = set(_FACTS) - {row["kind"] for row in rows(connection, _NEW)}
        for rule in landing_rules():
            if rule.applies_to not in idle:
                _apply(connection, rule, parameters)
        connection.execute(_RESULTS, parameters)
        looked_at = rows(connection, "select kind, input_id from fresh_input")
        return Screening(
            tuple((row["kind"], row["input_id"]) for row in looked_at),
            attempt,
            int(scalar(connection, _LEFT_OUT)),
        )


def _apply(connection: Connection, rule: Rule, parameters: dict[str, object]) -> None:
    columns = "competition, payload_id, reason"
    if rule.applies_to in _FACTS:
        columns += ", fixture_key"
    if rule.applies_to == "quote":
        columns += f", {_QUOTE_COLUMNS}"
    if rule.severity == "block":
        columns += ", row_keys"
    statement = sql.SQL(
        "insert into finding (rule, severity, kind, {columns}) "
        "select {rule}, {severity}, {kind}, {columns} from ({check}) as broken"
    ).format(
        columns=sql.SQL(columns),
        rule=sql.Literal(rule.rule_id),
        severity=sql.Literal(rule.severity),
        kind=sql.Literal(rule.applies_to),
        check=sql.SQL(rule.check or ""),
    )
    n_found = connection.execute(statement, parameters).rowcount
    if n_found and rule.severity == "quarantine":
        connection.execute(query("quality/sql/quarantine"), {**parameters, "rule": rule.rule_id})
