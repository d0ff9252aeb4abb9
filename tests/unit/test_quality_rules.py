"""The catalogue of rules is whole: no code uses a rule that is not in it, and the page of the docs says the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from touchline.quality.rules import CHECKS, catalogue, landing_rules, markdown_table
from touchline.settings import PROJECT_ROOT

PACKAGE = PROJECT_ROOT / "include" / "touchline"
PARSED = ("payload", "row", "field", "price")
# Where a call takes the name of a rule: position, or keyword `rule`.
RULE_POSITIONS = {"Rejection": 2, "FieldInvalid": 3, "_Problem": 0, "_refuse": 3, "code": 2}
# What the rules are about that parsing applies.
PARSED = ("payload", "row", "field", "price")
RULE_NAME = re.compile(r"[a-z]+(_[a-z]+)+")


def used_rules() -> Iterator[tuple[str, str]]:
    """Every rule name that parsing or landing uses, with where."""
    for folder in ("sources", "landing", "identity"):
        for path in (PACKAGE / folder).rglob("*.py"):
            if "sandbox" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                for name in names_in(node):
                    yield name, f"{path.name}:{getattr(node, 'lineno', 0)}"


def names_in(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        position = RULE_POSITIONS.get(called)
        values = [keyword.value for keyword in node.keywords if keyword.arg == "rule"]
        if position is not None and len(node.args) > position:
            values.append(node.args[position])
        yield from (str(value.value) for value in values if isinstance(value, ast.Constant))
    if isinstance(node, ast.FunctionDef) and node.name in ("_judge", "__init__"):
        # The judgement of prices names its rules as literals of a column.
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "lit" and call.args:
                value = getattr(call.args[0], "value", None)
                if isinstance(value, str) and RULE_NAME.fullmatch(value):
                    yield value
        for argument in node.args.defaults:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value
    if isinstance(node, ast.AnnAssign | ast.Assign):
        targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
        if any(getattr(target, "id", "").endswith("_RULE") for target in targets):
            assert isinstance(node.value, ast.Constant)
            yield str(node.value.value)


def test_no_code_uses_a_rule_that_is_not_in_the_catalogue():
    used = dict(used_rules())
    assert {"team_doubtful", "overround_impossible", "field_invalid", "price_in_play", "row_cut"} <= set(used)
    assert {name: place for name, place in used.items() if name not in catalogue()} == {}


def test_every_rule_of_parsing_is_used_and_every_other_has_its_check():
    used = {name for name, _ in used_rules()} | {"field_missing"}
    assert {
        rule.rule_id for rule in catalogue().values() if rule.applies_to in PARSED and not rule.check
    } == used
    checks = {path.stem for path in CHECKS.glob("*.sql")} - {"prepare"}
    assert {rule.rule_id for rule in landing_rules()} == checks


@pytest.mark.parametrize("rule", catalogue().values(), ids=lambda rule: rule.rule_id)
def test_every_rule_says_what_it_wants_and_what_to_do(rule):
    assert rule.sentence.endswith(".")
    assert len(rule.advice) > 6
    assert rule.severity in ("block", "quarantine", "warn", "fill")


def test_results_and_prices_are_never_filled():
    filled = [rule for rule in catalogue().values() if rule.severity == "fill"]
    assert [rule.rule_id for rule in filled] == ["kickoff_time_customary"]


def test_the_page_of_the_docs_shows_the_catalogue():
    page = Path(PROJECT_ROOT / "docs" / "quality.md").read_text()
    assert markdown_table() in page, (
        "write the output of `touchline quality rules --markdown` into docs/quality.md"
    )
