"""Expectations on landed data: whole bodies, and the findings of the rules in them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import great_expectations.expectations as gxe

from touchline.identity.teams import ANCHOR
from touchline.quality.rules import Rule, catalogue, landing_rules
from touchline.quality.suite import Suite, block, quarantine, warn

REPLAY = "see `touchline rejects count`; fix the parser or wait for a corrected file, then collect again"


def landing_suites(as_of: datetime, run_id: str, attempt: int, held: Collection[str]) -> list[Suite]:
    """Expectations on every payload that the gate has not checked by `as_of` (UTC), on the newest season files of the
    competitions `held` because of theirs, and on what the rules found at this attempt of the run."""
    return [_payloads(as_of, held), _rules(run_id, attempt)]


def _payloads(as_of: datetime, held: Collection[str]) -> Suite:
    now = f"'{as_of.isoformat()}'::timestamptz"
    is_held = (
        f"substring(endpoint from '([A-Z]+[0-9]*)[.]csv$') in ({', '.join(map(_quoted, held)) or 'null'})"
    )
    waiting = ", ".join(f"'{rule.rule_id}'" for rule in catalogue().values() if rule.is_waiting)
    season_file = f"source = '{ANCHOR}' and endpoint ~ '/[A-Z]+[0-9]*[.]csv$'"
    return Suite(
        "landing_payload",
        # Rows that wait for a team or a match are not bad rows. When one of several sources sends nonsense, the others
        # still deliver; but a bad season file of the anchor, which gives the names, holds its competition. A newer body
        # of the same request replaces an older one.
        "select concat_ws(' ', 'payload', payload_id, source, endpoint) as row_key, "  # noqa: S608
        "substring(endpoint from '([A-Z]+[0-9]*)[.]csv$') as competition, n_rows, "
        "rejected_share, "
        f"case when {season_file} then rejected_share else 0 end as anchor_rejected_share, "
        f"({season_file} and is_unreadable)::int as n_anchor_unreadable, is_unreadable::int as n_unreadable, "
        "case when n_quotes + n_rejected_prices >= 50 then n_rejected_prices::float8 / (n_quotes + n_rejected_prices) "
        "else 0 end as rejected_price_share "
        "from landing.payload_parsed as parsed inner join landing.payload using (payload_id) "
        "inner join lateral (select case when n_rows >= 20 then "
        f"(n_rejected - count(distinct row_number) filter (where rule in ({waiting}) and scope = 'row'))::float8 "
        "/ n_rows else 0 end as rejected_share, coalesce(bool_or(scope = 'payload'), false) as is_unreadable "
        "from landing.rejected_row where rejected_row.payload_id = parsed.payload_id "
        "and rejected_row.run_id = parsed.run_id) as counted on true "
        f"where observed_at <= {now} and ({is_held} or not exists (select from ops.seen_input as seen "
        "where consumer = 'check_landing' and kind = 'payload' and input_id = payload.payload_id "
        f"and seen.as_of <= {now})) and not exists (select from landing.payload as newer "
        "inner join landing.payload_parsed using (payload_id) where newer.source = payload.source "
        "and newer.endpoint = payload.endpoint and newer.payload_id > payload.payload_id "
        f"and newer.observed_at <= {now})",
        lambda: [
            block(gxe.ExpectColumnValuesToBeBetween, REPLAY, column="anchor_rejected_share", max_value=0.5),
            block(gxe.ExpectColumnValuesToBeBetween, REPLAY, column="n_anchor_unreadable", max_value=0),
            warn(gxe.ExpectColumnValuesToBeBetween, REPLAY, column="n_unreadable", max_value=0),
            warn(gxe.ExpectColumnValuesToBeBetween, REPLAY, column="rejected_share", max_value=0.05),
            warn(gxe.ExpectColumnValuesToBeBetween, REPLAY, column="rejected_price_share", max_value=0.2),
        ],
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
        f"where run_id = {_quoted(run_id)} and attempt = {int(attempt)}",
        lambda: [_expectation(rule) for rule in rules],
    )


def _expectation(rule: Rule) -> object:
    made = {"block": block, "quarantine": quarantine}.get(rule.severity, warn)
    return made(gxe.ExpectColumnValuesToBeBetween, rule.advice, column=rule.rule_id, max_value=0)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
