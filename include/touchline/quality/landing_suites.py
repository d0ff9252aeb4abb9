"""Expectations on landed data: whole bodies, and the findings of the rules in them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from touchline.database.queries import query
from touchline.identity.teams import ANCHOR
from touchline.quality.rules import Rule, catalogue, landing_rules
from touchline.quality.suite import Suite, block, quarantine, warn

REPLAY = "see `touchline rejects count`; fix the parser or wait for a corrected file, then collect again"


def landing_suites(as_of: datetime, run_id: str, attempt: int, held: Collection[str]) -> list[Suite]:
    """Expectations on every payload that the gate has not checked by `as_of` (UTC), on the newest season files of the
    competitions `held` because of theirs, and on what the rules found at this attempt of the run."""
    return [_payloads(as_of, held), _rules(run_id, attempt)]


def _payloads(as_of: datetime, held: Collection[str]) -> Suite:
    import great_expectations.expectations as gxe

    return Suite(
        "landing_payload",
        query("quality/suites/landing_payload"),
        lambda: [
            block(gxe.ExpectColumnValuesToBeBetween, REPLAY, column="anchor_rejected_share", max_value=0.5),
            block(gxe.ExpectColumnValuesToBeBetween, REPLAY, column="n_anchor_unreadable", max_value=0),
            warn(gxe.ExpectColumnValuesToBeBetween, REPLAY, column="n_unreadable", max_value=0),
            warn(gxe.ExpectColumnValuesToBeBetween, REPLAY, column="rejected_share", max_value=0.05),
            warn(gxe.ExpectColumnValuesToBeBetween, REPLAY, column="rejected_price_share", max_value=0.2),
        ],
        {
            "as_of": as_of,
            "anchor": ANCHOR,
            "held": list(held),
            "waiting": [rule.rule_id for rule in catalogue().values() if rule.is_waiting],
        },
    )  # fmt: skip


def _rules(run_id: str, attempt: int) -> Suite:
    rules = landing_rules()
    counts = ", ".join(
        f"case when rule = '{rule.rule_id}' then n else 0 end as {rule.rule_id}" for rule in rules
    )
    return Suite(
        "landing_rules",
        # Rows of a hold are accepted by key, so keys must not depend on other findings.
        f"select coalesce(key, concat_ws(' ', competition, samples[1])) as row_key, competition, {counts} "  # noqa: S608
        "from ops.rule_result left join lateral unnest(row_keys) as key on true "
        "where run_id = %(run_id)s and attempt = %(attempt)s",
        lambda: [_expectation(rule) for rule in rules],
        {"run_id": run_id, "attempt": attempt},
    )


def _expectation(rule: Rule) -> object:
    import great_expectations.expectations as gxe

    made = {"block": block, "quarantine": quarantine}.get(rule.severity, warn)
    return made(gxe.ExpectColumnValuesToBeBetween, rule.advice, column=rule.rule_id, max_value=0)
