"""How a step is run: once for its inputs, with the clock and the inputs of the step it follows, and on record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows
from touchline.errors import PipelineDegraded
from touchline.operations import names
from touchline.operations.due import build_inputs, warehouse_is_behind
from touchline.operations.pipeline import Run, Step, run_step
from touchline.operations.steps import STEPS
from touchline.settings import Settings

pytestmark = pytest.mark.slow

NOON = datetime(2022, 11, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Report:
    files: tuple[str, ...] = ("E0.csv", "E1.csv")
    summary: str = "Done."


@pytest.fixture
def at_noon(settings: Settings) -> Settings:
    return settings.model_copy(update={"as_of": NOON})


def step_with(runs: list[Run]) -> Step:
    """A step that depends on its clock alone, and notes its runs."""

    def work(run: Run) -> Report:
        runs.append(run)
        return Report()

    return Step("first", "First.", work, inputs=lambda run, _: {"as_of": run.as_of.isoformat()})


def recorded(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "ingest") as connection:
        query = "select run_id, step, status, as_of, detail from ops.pipeline_run order by started_at"
        return rows(connection, query)


def test_a_step_is_done_once_for_its_inputs_unless_it_is_asked_for_again(at_noon: Settings):
    runs: list[Run] = []
    step = step_with(runs)
    outcomes = [run_step(at_noon, step, run_id) for run_id in ("one", "two")]
    assert [outcome.is_repeat for outcome in outcomes] == [False, True]
    assert outcomes[0].report == Report()
    assert not run_step(at_noon, step, "three", is_forced=True).is_repeat
    assert not run_step(at_noon, step, "four", is_full=True).is_repeat
    assert [(run.run_id, run.is_full) for run in runs] == [("one", False), ("three", False), ("four", True)]
    assert [row["run_id"] for row in recorded(at_noon)] == ["one", "three", "four"]


def test_a_record_holds_numbers_and_inputs_and_counts_lists(at_noon: Settings):
    run_step(at_noon, step_with([]), "one")
    (row,) = recorded(at_noon)
    assert (row["step"], row["status"], row["as_of"]) == ("first", "success", NOON)
    assert row["detail"] == {"n_files": 2, "summary": "Done.", "inputs": {"as_of": NOON.isoformat()}}


def test_a_step_takes_over_clock_and_inputs_of_the_one_it_follows(at_noon: Settings):
    runs: list[Run] = []
    follower = replace(step_with(runs), name="second", inputs=None, follows="first")
    run_step(at_noon, step_with([]), "one")
    later = datetime(2023, 1, 1, tzinfo=UTC)
    assert run_step(at_noon, follower, "one", later).as_of == NOON.isoformat()
    assert runs[0].as_of == NOON
    assert run_step(at_noon, follower, "two", later).is_repeat
    run_step(at_noon, step_with([]), "three", later)
    assert run_step(at_noon, follower, "three").as_of == later.isoformat()


def test_a_step_after_one_that_has_not_succeeded_is_never_settled(at_noon: Settings):
    follower = replace(step_with([]), name="second", inputs=None, follows="first")
    outcomes = [run_step(at_noon, follower, run_id) for run_id in ("one", "two")]
    assert [outcome.is_repeat for outcome in outcomes] == [False, False]
    assert all("inputs" not in row["detail"] for row in recorded(at_noon))


def test_a_failure_is_recorded_with_its_reason_and_done_again(at_noon: Settings):
    def fail(run: Run) -> Report:
        raise ValueError("no room")

    step = step_with([])
    with pytest.raises(ValueError, match="no room"):
        run_step(at_noon, replace(step, work=fail), "one")
    (row,) = recorded(at_noon)
    assert (row["status"], row["detail"]["error"]) == ("failed", "no room")
    assert not run_step(at_noon, step, "one").is_repeat


def test_what_does_not_stand_is_made_again_and_a_settled_step_confirms_and_still_publishes(at_noon: Settings):
    confirmed: list[str] = []
    step = replace(
        step_with([]),
        confirm=lambda run: confirmed.append(run.run_id),
        news=lambda _, report: {"asset": ({"is_new": report is not None},)},
    )
    run_step(at_noon, step, "one")
    assert run_step(at_noon, step, "two").news == {"asset": ({"is_new": False},)}
    assert confirmed == ["two"]
    assert not run_step(at_noon, replace(step, stands=lambda _: False), "three").is_repeat


def test_an_idle_step_says_why_and_leaves_no_record(at_noon: Settings):
    outcome = run_step(at_noon, replace(step_with([]), idle=lambda _: "Nothing built."), "one")
    assert (outcome.summary, outcome.is_repeat, outcome.news) == ("Nothing built.", True, {})
    assert recorded(at_noon) == []


def test_with_the_wall_clock_what_is_of_the_present_is_made_now_whatever_started_it(at_noon: Settings):
    runs: list[Run] = []
    present = replace(step_with(runs), is_present=True)
    run_step(at_noon, present, "virtual")
    live = at_noon.model_copy(update={"as_of": None, "source": "live"})
    run_step(live, present, "live", NOON)
    assert [run.clock.mode for run in runs] == ["virtual", "live"]
    assert runs[0].as_of == NOON
    assert runs[1].as_of.year >= 2026


@pytest.mark.parametrize(("lacking", "is_behind"), [(None, False), ("landed", True), ("code", True)])
def test_a_record_of_a_version_that_knew_fewer_inputs_makes_the_build_due(
    at_noon: Settings, lacking: str | None, is_behind: bool
):
    with connect(at_noon, "ingest") as connection:
        inputs = {name: value for name, value in build_inputs(connection, NOON).items() if name != lacking}
    for step in names.BUILD_STEPS:
        run_step(at_noon, Step(step, "Built.", lambda run: Report(), inputs=lambda run, _: inputs), step)
    for step in ("predict", "settle"):
        run_step(
            at_noon, Step(step, "Seen.", lambda run: Report(), inputs=lambda run, _: {"build": inputs}), step
        )
    assert warehouse_is_behind(at_noon, virtual_clock(NOON)) is is_behind


@dataclass(frozen=True)
class Collected:
    """The counts of a collection's report."""

    requests: int = 2
    new_payloads: int = 0
    seen_again: int = 0
    not_offered: int = 0
    summary: str = "Collected."


SILENCE, ANSWER, NO_QUESTION = Collected(), Collected(seen_again=2), Collected(requests=0)


def collect_odds(at_noon: Settings, run_id: str, **answers: Collected) -> None:
    """Record a run that asks sources for odds."""
    for source, report in answers.items():
        work = Step(f"collect_odds/{source}", "Collect.", lambda _, report=report: report)
        run_step(at_noon, work, run_id)


def judge_collection(settings: Settings) -> str:
    return run_step(settings, STEPS["all_collected/odds"], "verdict").summary


@pytest.mark.parametrize(
    ("answers", "is_complete"),
    [
        ({"one": ANSWER}, True),
        ({"one": SILENCE, "two": ANSWER}, True),
        ({"one": NO_QUESTION}, True),
        ({"one": SILENCE, "two": SILENCE}, False),
    ],
    ids=["answered", "one of two answers", "nothing to ask", "all rest"],
)
def test_a_collection_to_which_no_source_answers_is_degraded(
    at_noon: Settings, answers: dict[str, Collected], is_complete: bool
):
    collect_odds(at_noon, "one", **answers)
    if is_complete:
        assert judge_collection(at_noon) == "Nothing is missing."
    else:
        with pytest.raises(PipelineDegraded, match="no source has given odds ever"):
            judge_collection(at_noon)


def test_the_last_collection_counts_and_so_does_its_age(at_noon: Settings):
    collect_odds(at_noon, "one", source=ANSWER)
    later = at_noon.model_copy(update={"as_of": NOON + timedelta(hours=6)})
    collect_odds(later, "two", source=SILENCE)
    with pytest.raises(PipelineDegraded, match="no source has given odds since 2022-11-01 12:00 UTC"):
        judge_collection(later)
    assert judge_collection(at_noon) == "Nothing is missing.", "as of before that"
    collect_odds(later, "three", source=ANSWER)
    assert judge_collection(later) == "Nothing is missing."
    with pytest.raises(PipelineDegraded, match="since 2022-11-01 18:00 UTC"):
        judge_collection(at_noon.model_copy(update={"as_of": NOON + timedelta(days=2)}))


def test_a_collection_that_died_or_failed_has_not_answered(at_noon: Settings):
    def fail(run: Run) -> Report:
        raise ValueError("no route")

    with pytest.raises(ValueError, match="no route"):
        run_step(at_noon, Step("collect_fixtures+odds+scores", "Collect.", fail), "one")
    for kind in names.LANDING:
        with pytest.raises(PipelineDegraded, match=f"no source has given {kind} ever"):
            run_step(at_noon, STEPS[f"all_collected/{kind}"], "verdict")
