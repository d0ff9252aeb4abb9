"""How a step becomes a task: its clock, its asset events, its errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.context import OutletEventAccessors, set_current_context

from touchline.errors import DayNotOver, SourceUnavailable
from touchline.operations import names
from touchline.operations.pipeline import News, Run, Step
from touchline_assets import ASSETS, WHEN_NEW
from touchline_tasks import run_step

FRIDAY = datetime(2026, 3, 13, 16, tzinfo=UTC)
SATURDAY = datetime(2026, 3, 14, 16, tzinfo=UTC)
SUNDAY = datetime(2026, 3, 15, 16, tzinfo=UTC)


@dataclass(frozen=True)
class Report:
    summary: str = "Done."


@dataclass
class Work:
    """The work of a step, which remembers what it was called with."""

    error: BaseException | None = None
    runs: list[Run] = field(default_factory=list)

    def __call__(self, run: Run) -> Report:
        self.runs.append(run)
        if self.error is not None:
            raise self.error
        return Report()


def run(
    work: Work,
    as_of: str | None = None,
    params: Mapping[str, Any] | None = None,
    events: Mapping[Asset, list[Any]] | None = None,
    news: News | None = None,
    until: datetime | None = None,
    **options: Any,
) -> tuple[dict[str, Any], OutletEventAccessors]:
    """Run a step in a task; `until` makes it a task of a backfill's day that ends then."""
    step = Step(
        "some_step", "Something.", work, news=lambda _run, _report: news or {}, is_recorded=False, **options
    )
    outlet_events = OutletEventAccessors()
    context: Any = {
        "dag_run": SimpleNamespace(
            dag_id="some_dag",
            run_id="some_run",
            run_type="backfill" if until else "manual",
            data_interval_end=until,
        ),
        "ti": SimpleNamespace(),
        "params": {"as_of": None, "announce": True, **(params or {})},
        "triggering_asset_events": events or {},
        "outlet_events": outlet_events,
    }
    with set_current_context(context):
        return run_step(step, as_of), outlet_events


def event(timestamp: datetime, as_of: datetime) -> Any:
    return SimpleNamespace(timestamp=timestamp, extra={"as_of": as_of.isoformat()})


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setenv("TOUCHLINE_HOME", str(tmp_path))
    monkeypatch.setenv("TOUCHLINE_AS_OF", FRIDAY.isoformat())
    return tmp_path


def test_a_step_gets_settings_the_name_of_its_run_and_a_clock(home: Path):
    work = Work()
    outcome, _ = run(work)
    (made,) = work.runs
    assert made.settings.home == home
    assert made.run_id == "some_dag/some_run"
    assert made.as_of == FRIDAY
    assert outcome["summary"] == "Done."


def test_the_clock_is_that_of_the_task_before_then_of_the_parameter_then_of_the_newest_event():
    events = {
        ASSETS[names.LANDING_ODDS]: [event(FRIDAY, SATURDAY)],
        ASSETS[names.LANDING_SCORES]: [event(SATURDAY, SUNDAY)],
    }
    work = Work()
    run(work, events=events)
    run(work, params={"as_of": SATURDAY.isoformat()}, events=events)
    run(work, as_of="2026-01-01T00:00:00+00:00", params={"as_of": SATURDAY.isoformat()}, events=events)
    assert [made.as_of for made in work.runs] == [SUNDAY, SATURDAY, datetime(2026, 1, 1, tzinfo=UTC)]


def test_an_asset_that_is_new_gets_an_event_that_hands_the_clock_on():
    _, events = run(Work(), news={names.FEATURES: ({},)})
    (added,) = events[WHEN_NEW[names.FEATURES]].asset_alias_events
    assert added.dest_asset_key.name == names.FEATURES
    assert added.extra == {"as_of": FRIDAY.isoformat()}


def test_an_asset_that_is_new_for_several_reasons_gets_an_event_for_each():
    reasons = ({"metric": "calibration", "value": 3.5}, {"metric": "feature_drift", "value": 0.4})
    _, events = run(Work(), news={names.DRIFT: reasons})
    told = [added.extra for added in events[WHEN_NEW[names.DRIFT]].asset_alias_events]
    assert told == [{**reason, "as_of": FRIDAY.isoformat()} for reason in reasons]


def test_nothing_new_publishes_nothing():
    _, events = run(Work())
    assert len(events) == 0


def test_a_run_may_be_told_not_to_announce():
    _, events = run(Work(), params={"announce": False}, news={names.LANDING_ODDS: ({},)})
    assert len(events) == 0


def test_an_error_is_the_task_s_as_it_is_so_that_what_becomes_of_it_follows_from_its_cause():
    with pytest.raises(SourceUnavailable, match="football_data_uk answered 503"):
        run(Work(error=SourceUnavailable("football_data_uk answered 503")))


def test_a_backfill_of_a_day_that_is_not_over_fails_at_once_and_says_when_it_is():
    work = Work()
    with pytest.raises(DayNotOver, match=r"ends at 2026-03-14T16:00.* it is 2026-03-13T16:00"):
        run(work, until=SATURDAY)
    assert work.runs == []


def test_what_cannot_be_done_for_a_past_day_is_skipped_with_the_reason():
    work = Work()
    with pytest.raises(AirflowSkipException, match="Before kick-off or not at all"):
        run(work, until=FRIDAY, in_backfill="never", not_in_backfill="Before kick-off or not at all.")
    assert work.runs == []


def test_a_step_of_the_present_has_the_present_s_clock_in_a_backfill_and_announces():
    work = Work()
    thursday = FRIDAY - timedelta(days=1)
    _, events = run(work, until=thursday, in_backfill="as now", news={names.LANDING_ODDS: ({},)})
    assert [made.as_of for made in work.runs] == [FRIDAY]
    assert len(events[WHEN_NEW[names.LANDING_ODDS]].asset_alias_events) == 1


def test_a_task_logs_what_is_new_of_each_asset_that_started_its_run(caplog: pytest.LogCaptureFixture):
    odds, drift = ASSETS[names.LANDING_ODDS], ASSETS[names.DRIFT]
    extent = {"competitions": ["D1", "E0"], "first_match_on": "2026-03-14", "last_match_on": "2026-03-15"}
    of_odds = SimpleNamespace(
        timestamp=FRIDAY, extra={**extent, "n_matches": 12, "as_of": FRIDAY.isoformat()}
    )
    of_drift = SimpleNamespace(
        timestamp=FRIDAY, extra={"metric": "feature_drift", "as_of": FRIDAY.isoformat()}
    )
    events: Any = {odds: [of_odds], drift: [of_drift], WHEN_NEW[names.LANDING_ODDS]: [of_odds]}
    with caplog.at_level("INFO", "touchline_runs"):
        run(Work(), events=events)
    assert [message for message in caplog.messages if message.startswith("new: ")] == [
        "new: landing/odds: 12 matches of D1, E0, 2026-03-14 to 2026-03-15",
        "new: models/drift: metric feature_drift",
    ]
