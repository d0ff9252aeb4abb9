"""The validation of staging: what is due, what is done to an installation, and what makes a promise kept or broken."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from touchline.errors import ServiceFailed, ValidationImpossible
from touchline.operations import names
from touchline.settings import Settings
from touchline.staging import disturbances, plants, validate
from touchline.staging.course import Course, Moment
from touchline.staging.disturbances import Done
from touchline.staging.installation import scratch_installation
from touchline.staging.load import Readers
from touchline.staging.promises import Verdict
from touchline.staging.report import in_short, is_kept, write_report
from touchline.staging.schedule import BY_CRON, read_schedule

FRIDAY = datetime(2026, 3, 13, 16, tzinfo=UTC)
HOURS = 72
HEARTBEAT = 10.0


class Timetables:
    """What Airflow says of its DAGs."""

    def __init__(self, **told: str) -> None:
        self._told = {**dict.fromkeys(BY_CRON, "0 1 * * *"), **told}

    def timetables(self) -> dict[str, str]:
        return self._told


def course(**changes: Any) -> Course:
    """Three moments, one in each phase, each with a collection that succeeded."""
    made = Course(FRIDAY, FRIDAY + timedelta(hours=HOURS), FRIDAY, 1000.0, seconds=3 * HEARTBEAT)
    made.moments = [moment(place) for place in range(3)]
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def moment(place: int, state: str = "success", **changes: Any) -> Moment:
    given = {
        "at": FRIDAY + timedelta(hours=24 * place + 1), "phase": ("steady", "load", "faults")[place],
        "due": {names.COLLECT_ODDS: state}, "n_runs": 4, "failed": (), "unpredicted": (),
        "began_at": 1000.0 + HEARTBEAT * place, "seconds": HEARTBEAT,
    }  # fmt: skip
    return Moment(**given | changes)


def readers(failed_at: tuple[float, ...] = ()) -> Readers:
    made = Readers("http://127.0.0.1:1")
    for phase in ("steady", "load", "faults"):
        made.enter(phase, 1)
        answers = made.answers[phase]
        for _ in range(10):
            answers.at.append(1000.0)
            answers.milliseconds.append(5.0)
    made.answers["faults"].failed_at.extend(failed_at)
    return made


def broken(verdicts: Any) -> list[str]:
    return [each.what for each in verdicts if each.is_kept is False]


def test_what_is_due_by_a_cron_expression_is_what_airflow_says_with_or_without_assets(settings: Settings):
    told = Timetables(train_models="Asset or 0 3 * * *", tune_models="0 4 * * 0")
    schedule = read_schedule(settings, told)  # type: ignore[arg-type]
    assert schedule.crons[names.TRAIN_MODELS] == "0 3 * * *"
    due = schedule.between(FRIDAY, FRIDAY + timedelta(hours=HOURS))
    assert [at.isoformat() for at, dag_id in due if dag_id == names.TUNE_MODELS] == [
        "2026-03-15T04:00:00+00:00"
    ]
    assert sum(dag_id == names.TRAIN_MODELS for _, dag_id in due) == 3
    assert {dag_id for _, dag_id in due} >= {names.COLLECT_ODDS, names.COLLECT_SCORES, names.COLLECT_FIXTURES}


@pytest.mark.parametrize("told", ["Asset", "never", "1 2 3 4 x"])
def test_a_timetable_without_a_cron_expression_is_named(settings: Settings, told: str):
    with pytest.raises(ServiceFailed, match=f"train_models says '{told}'"):
        read_schedule(settings, Timetables(train_models=told))  # type: ignore[arg-type]


def test_every_service_is_killed_and_everything_is_done_in_its_hours():
    planned = disturbances.plan(24)
    assert [after for after, _ in planned] == sorted(after for after, _ in planned)
    assert 0 < planned[0][0] < planned[-1][0] < 24
    assert len(planned) == len(disturbances.KILLED) + 4


def test_an_outage_lasts_until_it_is_over():
    begun = [Done("kill", "api", 1.0, 2.0), Done("outage", "all", 5.0, None)]
    kill, outage = disturbances.ended(begun, Done("outage", "all", 9.0, 9.0))
    assert (kill.seconds, outage.seconds) == (1.0, 4.0)


def test_a_course_without_a_fault_keeps_what_it_is_judged_by():
    assert not broken(validate._unattended(course()))
    assert not broken(validate._of_readers(course(), readers()))


@pytest.mark.parametrize(("changes", "what"), [
    ({"moments": [moment(0), moment(1, "failed"), moment(2)]}, "every DAG ran when it was due, to its end"),
    ({"moments": [moment(0), moment(1, "degraded"), moment(2)]}, "every DAG ran when it was due, to its end"),
    ({"moments": [moment(0), moment(1, "missing"), moment(2)]}, "every DAG ran when it was due, to its end"),
    ({"moments": [moment(0, unpredicted=("15:00 X1 A - B",))]}, "every match was predicted an hour before kick-off"),
    ({"shortfalls": ("2 fixtures ahead without a prediction",)}, "at the end nothing is missing"),
])  # fmt: skip
def test_what_was_due_and_not_done_breaks_the_promise(changes: dict[str, Any], what: str):
    assert broken(validate._unattended(course(**changes))) == [what]


def test_a_collection_may_be_degraded_while_no_source_answers_and_only_then():
    outage = [Done("outage", "all", 1019.0, 1031.0)]
    for state in ("degraded", "failed"):
        excused = course(moments=[moment(0), moment(1), moment(2, state)], disturbances=outage)
        assert not broken(validate._unattended(excused))
    failed = course(moments=[moment(0, "failed"), moment(1), moment(2)], disturbances=outage)
    (verdict,) = [each for each in validate._unattended(failed) if each.is_kept is False]
    assert verdict.note == "collect_odds of 13 Mar 17:00: failed"


def test_what_never_came_back_breaks_the_promise_and_says_what():
    done = [
        Done("kill", "api", 1.0, 2.0),
        Done("kill", "mlflow", 5.0, None),
        Done("rollback", "x", 7.0, None, "why"),
    ]
    found = {each.what: each for each in validate._of_disturbances(course(disturbances=done))}
    assert [each.word for each in found.values()] == ["broken", "not judged", "broken"]
    assert found["what is killed comes back by itself"].note == "not back within 300 s: mlflow"
    assert found["the champion goes back to the one before"].note == "why"


def test_a_request_that_fails_counts_unless_what_answers_it_was_killed():
    killed = course(disturbances=[Done("kill", "api", 1021.0, 1023.0, is_noticed=True)])
    assert not broken(validate._of_readers(killed, readers(failed_at=(1022.0,))))
    assert broken(validate._of_readers(killed, readers(failed_at=(1022.0, 1029.0))))
    assert broken(validate._of_readers(course(), readers(failed_at=(1022.0,))))


def test_slow_answers_while_nothing_is_broken_break_the_promise():
    slow = readers()
    slow.answers["load"].milliseconds[:] = slow.answers["load"].milliseconds[:0]
    slow.answers["load"].milliseconds.extend([900.0] * 10)
    assert broken(validate._of_readers(course(), slow)) == [
        "95 of 100 answers come within 500 ms while nothing is broken"
    ]


def test_the_report_says_for_each_promise_whether_it_was_kept(tmp_path: Path):
    verdicts = [
        Verdict(1, "no prediction rests on later features", True, {"predictions": 1200}),
        Verdict(2, "every prediction was made before kick-off", False, {"late": 1}),
        Verdict(5, "the same code runs on a cluster", None, {}, "one machine was validated"),
    ]
    assert not is_kept(verdicts)
    assert in_short(verdicts)[:3] == [
        "kept: Nothing knows the future (1 checks)",
        "BROKEN: Truth is append-only (1 of 1 checks)",
        "broken: every prediction was made before kick-off: late 1",
    ]
    assert in_short(verdicts)[5] == "not judged: Same code from laptop to cluster: one machine was validated"
    page = write_report(
        tmp_path, course(disturbances=[Done("kill", "api", 1021.0, 1023.0)]), readers((1022.0,)), verdicts
    )
    told = json.loads((tmp_path / "staging-validation.json").read_text())
    assert (told["is_kept"], told["verdicts"][1]["verdict"]) == (False, "broken")
    assert told["dags"] == {names.COLLECT_ODDS: {"success": 3}}
    text = (tmp_path / "staging-validation.md").read_text()
    assert "| Truth is append-only | every prediction was made before kick-off | broken | late 1 |" in text
    assert (tmp_path / "images" / "staging-validation.png").stat().st_size > 10_000
    assert "data:image/png" in page.read_text()


def test_a_gate_is_disabled_in_a_copy_of_the_code_alone(tmp_path: Path):
    plant = plants.prepared(plants.GATE_DISABLED, tmp_path)
    disabled = (tmp_path / plants.GATE).read_text()
    compile(disabled, plants.GATE, "exec")
    assert plant.code == tmp_path
    assert plants.UNCHECKED in disabled
    assert plants.UNCHECKED not in (plants.PROJECT_ROOT / plants.GATE).read_text()


def test_a_fault_that_cannot_be_planted_is_refused_with_those_that_can(tmp_path: Path):
    with pytest.raises(ValidationImpossible, match="late-prediction, gate-disabled"):
        plants.prepared("earthquake", tmp_path)


def test_services_that_others_use_are_not_used_up(settings: Settings):
    given = settings.model_copy(update={"database_url": "postgresql://db:5432/postgres"})
    with pytest.raises(ValidationImpossible, match="--real-time"), scratch_installation(given):
        pass


def test_readers_count_what_answers_and_what_does_not():
    """Nothing listens there: every request of a phase is a failure, with its cause."""
    found = Readers("http://127.0.0.1:1")
    found.enter("steady", 200)
    with found.reading():
        until = time.monotonic() + 30
        while not found.answers["steady"].n and time.monotonic() < until:
            time.sleep(0.05)
    answers = found.answers["steady"]
    assert (len(answers.at), answers.percentile(95)) == (0, None)
    assert answers.n == len(answers.failed_at) == answers.causes.total() > 0
    assert all(cause.startswith("ConnectError of /") for cause in answers.causes)
