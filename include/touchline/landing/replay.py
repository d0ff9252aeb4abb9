"""Replay: read rejected rows again from the stored payloads, without asking the source.

A replayed fact counts as known from the instant of the replay, because no earlier prediction could have used it. Where
no build has read the payload yet, nothing was predicted without it, and its facts are dated as those beside them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from touchline.clock import RunClock
from touchline.database.engine import Connection, connect, rows, scalar
from touchline.database.queries import query
from touchline.errors import PayloadRejected
from touchline.identity import teams
from touchline.landing import observations, payloads
from touchline.landing.links import MATCH_RULE
from touchline.landing.observations import UNWRITABLE, Counts
from touchline.landing.payloads import Payload
from touchline.landing.resolve import TEAM_RULE, resolve
from touchline.settings import Settings
from touchline.sources.configuration import read_configuration
from touchline.sources.registry import open_sources, plan_sources
from touchline.sources.source import Observations, Source

log = logging.getLogger(__name__)

# Source -> its name of a bookmaker -> ours.
Bookmakers = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class ReplayReport:
    """What a replay did: `n_settled` of the `n_rows` examined left quarantine. Only new facts are counted."""

    n_payloads: int = 0
    n_rows: int = 0
    n_settled: int = 0
    new_fixtures: int = 0
    new_scores: int = 0
    new_quotes: int = 0

    @property
    def summary(self) -> str:
        """One sentence."""
        return (
            f"{self.n_settled} of {self.n_rows} rows of {self.n_payloads} payloads left quarantine; new: "
            f"{self.new_fixtures} fixtures, {self.new_scores} scores, {self.new_quotes} quotes."
        )

    def __add__(self, other: ReplayReport) -> ReplayReport:
        return ReplayReport(*(a + b for a, b in zip(_numbers(self), _numbers(other), strict=True)))


def replay_rejected(
    settings: Settings, clock: RunClock, run_id: str, source: str | None = None, rule: str | None = None
) -> ReplayReport:
    """Read every row again that is still in quarantine, or only those of one source or rule.

    Useful after a parser was fixed, a competition was added or a team was linked.
    """
    report = ReplayReport()
    bookmakers = read_configuration(settings.sources_file).bookmakers
    only = () if source is None else (source,)
    with open_sources(settings, clock, only) as sources, connect(settings, "ingest") as connection:
        for each in sources:
            found = rows(
                connection, query("landing/sql/payloads_waiting"), {"source": each.name, "rule": rule}
            )
            ids = [row["payload_id"] for row in found]
            report += _replay(connection, each, bookmakers, ids, clock.as_of, run_id)
    return report


def replay_all_waiting(settings: Settings, clock: RunClock, run_id: str) -> ReplayReport:
    """Replay the rows of every source in use that waited for a team or match that is known by now.

    Sources are collected side by side: what one has told settles rows of another, whichever came first.
    """
    report = ReplayReport()
    bookmakers = read_configuration(settings.sources_file).bookmakers
    if not any(plan.state == "in use" for plan in plan_sources(settings)):
        return report
    with open_sources(settings, clock) as sources, connect(settings, "ingest") as connection:
        for source in sources:
            report += replay_waiting(connection, source, bookmakers, clock.as_of, run_id)
    return report


def replay_waiting(
    connection: Connection, source: Source, bookmakers: Bookmakers, as_of: datetime, run_id: str
) -> ReplayReport:
    """Replay the rows that waited for a team or match that is known by now. Commits after each payload."""
    if source.name == teams.ANCHOR:
        return ReplayReport()
    linked = [link.alias for link in teams.links(connection, source.name) if link.team is not None]
    parameters = {
        "source": source.name, "team_rule": TEAM_RULE, "match_rule": MATCH_RULE,
        "aliases": linked,
    }  # fmt: skip
    ready = [row["payload_id"] for row in rows(connection, query("landing/sql/payloads_ready"), parameters)]
    return _replay(connection, source, bookmakers, ready, as_of, run_id)


def _replay(
    connection: Connection, source: Source, bookmakers: Bookmakers, payload_ids: Sequence[int], as_of: datetime,
    run_id: str,
) -> ReplayReport:  # fmt: skip
    report = ReplayReport()
    for payload_id in payload_ids:
        payload = payloads.read_again(connection, payload_id)
        payloads.lock_source(connection, payload.source)
        # Nothing is known before it was seen, as of whenever it is replayed.
        at = max(as_of, payload.observed_at)
        waiting = rows(connection, query("landing/sql/rows_waiting"), {"payload_id": payload_id})
        # The whole body is resolved, because its other names and matches help to settle the doubtful ones.
        names = bookmakers.get(source.name, {})
        try:
            with connection.transaction():
                found = payloads.parse(source, payload)
                resolved = resolve(connection, payload, found, names, at, run_id)
                report += _use_waiting(connection, payload, resolved, waiting, at, run_id)
        except (PayloadRejected, *UNWRITABLE) as error:
            log.warning("payload %s stays rejected: %s", payload_id, error)
        connection.commit()
    return report


def _use_waiting(
    connection: Connection, payload: Payload, resolved: Observations, waiting: Sequence[dict[str, Any]],
    as_of: datetime, run_id: str,
) -> ReplayReport:  # fmt: skip
    # A body that was unreadable before is now used as a whole.
    is_whole = any(row["scope"] == "payload" for row in waiting)
    numbers = {row["row_number"] for row in waiting}
    chosen = resolved if is_whole else _only_rows(resolved, numbers)
    rejected = {each.row_number: each for each in chosen.rejections if each.scope == "row"}
    # A row that now fails for a different reason is recorded under the new one.
    changed = [
        row
        for row in waiting
        if (new := rejected.get(row["row_number"])) and (new.rule, new.value) != (row["rule"], row["value"])
    ]
    settled = [row for row in waiting if row["row_number"] not in rejected]
    if not settled and not changed:
        return ReplayReport(n_payloads=1, n_rows=len(waiting))
    told = chosen.rejections if is_whole else [rejected[row["row_number"]] for row in changed]
    observations.write_rejections(connection, payload, told, run_id)
    known_at = as_of if _is_built(connection, payload) else None
    facts = observations.write_facts(connection, payload, _newest_only(connection, payload, chosen), known_at)
    _note(connection, payload, [*settled, *changed], len(waiting), len(settled), facts, as_of, run_id)
    return ReplayReport(1, len(waiting), len(settled), facts.fixtures, facts.scores, facts.quotes)


def _is_built(connection: Connection, payload: Payload) -> bool:
    """Whether a build has read a payload, with these rows left out."""
    asked = (
        "select exists (select from ops.seen_input "
        "where consumer = 'build_core' and kind = 'payload' and input_id = %s)"
    )
    return bool(scalar(connection, asked, (payload.payload_id,)))


def _only_rows(found: Observations, numbers: set[int]) -> Observations:
    chosen = pl.col("row_number").is_in(list(numbers))
    return replace(
        found,
        fixtures=found.fixtures.filter(chosen),
        scores=found.scores.filter(chosen),
        quotes=found.quotes.filter(chosen),
        rejections=[each for each in found.rejections if each.row_number in numbers],
    )


def _newest_only(connection: Connection, payload: Payload, found: Observations) -> Observations:
    """Drop facts that the source has since updated, so that an old fact does not look new."""

    def current(frame: pl.DataFrame, table: str) -> pl.DataFrame:
        later = rows(
            connection,
            f"select distinct fixture_key::text as key from landing.{table} "  # noqa: S608
            "where fixture_key = any(%s::uuid[]) and source = %s and observed_at > %s",
            (frame["fixture_key"].unique().to_list(), payload.source, payload.observed_at),
        )
        return frame.filter(~pl.col("fixture_key").is_in([row["key"] for row in later]))

    return replace(
        found,
        fixtures=current(found.fixtures, "fixture_observation"),
        scores=current(found.scores, "score_observation"),
        quotes=current(found.quotes, "odds_observation"),
    )


def _note(
    connection: Connection, payload: Payload, looked_at: Sequence[dict[str, Any]], n_rows: int, n_settled: int,
    facts: Counts, as_of: datetime, run_id: str,
) -> None:  # fmt: skip
    (noted,) = rows(
        connection,
        "insert into landing.payload_replayed (payload_id, observed_at, n_rows, n_settled, n_fixtures, n_scores, "
        "n_quotes, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s) returning payload_replayed_id",
        (
            payload.payload_id, as_of, n_rows, n_settled, facts.fixtures, facts.scores, facts.quotes, run_id,
        ),
    )  # fmt: skip
    connection.execute(
        "insert into landing.rejected_row_settled (rejected_row_id, payload_replayed_id) "
        "select unnest(%s::bigint[]), %s",
        ([row["rejected_row_id"] for row in looked_at], noted["payload_replayed_id"]),
    )


def _numbers(report: ReplayReport) -> tuple[int, ...]:
    return (
        report.n_payloads, report.n_rows, report.n_settled, report.new_fixtures, report.new_scores, report.new_quotes,
    )  # fmt: skip
