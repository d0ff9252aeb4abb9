"""The catalogue of rules: each with its sentence, the severity of a breach, and advice for the operator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

import yaml

Severity = Literal["block", "quarantine", "warn", "fill"]
Subject = Literal["payload", "row", "field", "price", "fixture", "score", "quote", "competition"]
CHECKS: Final = Path(__file__).with_name("checks")
CATALOGUE: Final = Path(__file__).with_name("rules.yaml")


@dataclass(frozen=True)
class Rule:
    """One rule. `is_waiting` marks rows that are not bad, but are used once a team or match is known."""

    rule_id: str
    applies_to: Subject
    severity: Severity
    sentence: str
    advice: str
    is_waiting: bool = False

    @property
    def check(self) -> str | None:
        """The SQL that finds breaches among landed facts; None for rules that parsing applies."""
        path = CHECKS / f"{self.rule_id}.sql"
        return path.read_text() if path.exists() else None


@cache
def catalogue() -> dict[str, Rule]:
    """All rules by id, in the order in which they are applied."""
    found = yaml.safe_load(CATALOGUE.read_text())
    return {rule_id: Rule(rule_id, **values) for rule_id, values in found.items()}


def landing_rules() -> list[Rule]:
    """The rules of the landing gate, in the order in which they are applied."""
    return [rule for rule in catalogue().values() if rule.check is not None]


def markdown_table() -> str:
    """The catalogue as docs/quality.md shows it."""
    lines = ["| rule | of a | severity | what it says | what to do |", "|---|---|---|---|---|"]
    lines += [
        f"| `{rule.rule_id}` | {rule.applies_to} | {rule.severity} | {rule.sentence} | {rule.advice} |"
        for rule in catalogue().values()
    ]
    return "\n".join(lines) + "\n"
