"""What counts as a shortfall, and in which words it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from touchline.monitoring.shortfalls import STALE_AFTER, Shortfall, horizon_end, judge, told
from touchline.operations.run import RunReport

NOON = datetime(2022, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def row(what: str, subject: str = "", since: datetime | None = NOON, **more: Any) -> dict[str, Any]:
    return {"what": what, "subject": subject, "since": since, "is_answered": None, "reason": None, **more}


def collected(since: datetime | None = NOON, *, is_answered: bool = True) -> dict[str, Any]:
    return row("collected", "odds", since, is_answered=is_answered)


def judged(*evidence: dict[str, Any], looked_at: datetime | None = NOON) -> tuple[Shortfall, ...]:
    return judge([*evidence, row("looked", since=looked_at)], [], NOON)


def test_where_all_was_collected_looked_at_and_predicted_nothing_is_missing():
    assert judged(collected()) == ()


@pytest.mark.parametrize(
    ("since", "is_answered", "is_missing"),
    [
        (NOON - STALE_AFTER, True, False),
        (NOON - STALE_AFTER - HOUR, True, True),
        (NOON - 6 * HOUR, False, True),
        (None, False, True),
    ],
    ids=["a day ago", "long ago", "silence since", "never"],
)
def test_facts_are_missing_when_no_source_answers_or_none_was_asked_for_too_long(
    since: datetime | None, is_answered: bool, is_missing: bool
):
    found = judged(collected(since, is_answered=is_answered))
    assert [(each.kind, each.subject, each.since) for each in found] == [
        ("uncollected", "odds", since)
    ] * is_missing


def test_it_is_stale_when_fixtures_were_not_looked_at_for_too_long_and_says_for_how_long():
    assert judged(looked_at=NOON - STALE_AFTER) == ()
    assert judged(looked_at=None) == (), "before the first look nothing can be old"
    (stale,) = judged(looked_at=NOON - 31 * HOUR)
    assert (stale.kind, stale.since) == ("stale", NOON - 31 * HOUR)
    assert stale.message.startswith("nothing new for 31 hours")


def test_a_held_competition_is_told_with_the_reason():
    (held,) = judged(row("held", "E0", reason="core_match.volume"))
    assert (held.kind, held.subject) == ("held", "E0")
    assert held.message == "a quality gate holds E0 since 2022-11-02 12:00 UTC: core_match.volume"


def test_the_fixtures_come_first_by_reason_with_what_to_do():
    missing = [
        {
            "reason": "no_champion",
            "n": 3,
            "next_kickoff_at": NOON + HOUR,
            "what_to_do": "run `touchline train`",
        },
        {"reason": "waiting", "n": 1, "next_kickoff_at": NOON + HOUR, "what_to_do": None},
    ]
    found = judge([row("held", "E0", reason="why"), row("looked")], missing, NOON)
    assert [each.kind for each in found] == ["unpredicted", "unpredicted", "held"]
    first, second, _ = told(found).splitlines()
    assert first == (
        "3 fixtures ahead without a prediction (no champion), the next at 2022-11-02 13:00 UTC; "
        "to do: run `touchline train`"
    )
    assert second.startswith("1 fixture ahead without a prediction (waiting)")
    assert "touchline build" in second


def test_a_fixture_that_came_into_the_horizon_since_the_last_look_is_for_the_next():
    looked_at = NOON - 6 * HOUR
    assert horizon_end([row("looked", since=looked_at)], NOON, 7) == looked_at + timedelta(days=7)
    assert horizon_end([row("looked", since=None)], NOON, 7) == NOON + timedelta(days=7)


def summary(n_upcoming: int = 30, **changes: Any) -> str:
    nothing: dict[str, Any] = {"problems": (), "shortfalls": (), "addresses": {}}
    numbers = {"n_dag_runs": 7, "n_tasks": 35, "n_upcoming": n_upcoming, "seconds": 284.0}
    return RunReport(as_of=NOON.isoformat(), is_simulated=False, **numbers, **nothing | changes).summary


def test_a_run_is_told_as_successful_only_when_nothing_is_missing():
    assert "35 tasks, all successful, in 284 s." in summary()
    assert "no fixture is known in the horizon" in summary(0)
    assert "all successful" not in summary(problems=("E1.csv: a web page",))
    (stale,) = judged(looked_at=NOON - 31 * HOUR)
    degraded = summary(0, shortfalls=(stale,))
    assert "35 tasks, degraded, in 284 s." in degraded
    assert degraded.splitlines()[1].strip().startswith("nothing new for 31 hours")
