"""A promotion that a person decides on: asked in Airflow, answered there or by hand."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alert_receivers import webhook
from installation import Installation
from touchline.operations import names, services
from touchline.operations.airflow_api import AirflowApi, DagRun
from touchline.operations.approvals import APPROVE_TASK, subject_of
from touchline.operations.run import start
from touchline.registry import models
from touchline.registry.approval import ASKED
from touchline.registry.tracking import Registry, open_registry
from touchline.registry.training import train_on
from touchline.settings import Notify, Promotion, Settings
from touchline.supervision.programs import free_port
from training_frames import QUICK, simulated_matches

# It starts Airflow of its own. By day: tests/integration/test_ledger_registry.py, an approved version.
pytestmark = [pytest.mark.slow, pytest.mark.nightly]

SECONDS = 300


@dataclass(frozen=True)
class Asking:
    """An installation in which version 1 waits for approval; meanwhile version 2, the market, is champion."""

    installation: Installation
    api: AirflowApi
    registry: Registry

    @property
    def settings(self) -> Settings:
        """Of the installation."""
        return self.installation.settings

    @property
    def champion(self) -> str | None:
        """The version that is champion."""
        return models.champion_version(self.registry)

    def state(self, run: DagRun, task_id: str) -> str | None:
        """The state of a task."""
        return {task.task_id: task.state for task in self.api.tasks(run)}.get(task_id)

    @contextmanager
    def question(self) -> Iterator[DagRun]:
        """A run that asks about version 1 as if for the first time; leaves when it has ended, answered in between."""
        registry = self.registry
        models.promote(registry, "2")
        registry.client.set_registered_model_alias(registry.model_name, models.CANDIDATE, "1")
        registry.client.delete_model_version_tag(registry.model_name, "1", ASKED)
        run = self.api.trigger(names.APPROVE_PROMOTION, {"announce": False})
        await_true(lambda: self.state(run, APPROVE_TASK) == "awaiting_input")
        yield run
        self.await_end(run)

    def await_end(self, run: DagRun) -> None:
        """Return when a run has ended."""
        await_true(lambda: run.run_id not in {each.run_id for each in self.api.active_runs()})


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    # Not pytest's tmp_path: PostgreSQL may run as another user, who cannot enter a folder of mode 700.
    home = Path(tempfile.mkdtemp(prefix="touchline-approval-"))
    home.chmod(0o755)
    ports = {f"{name}_port": free_port() for name in ("postgres", "airflow", "mlflow", "api", "sandbox")}
    with webhook() as hook:
        settings = Settings(
            home=home, evaluation_seasons=1, promotion=Promotion(needs_approval=True),
            notify=Notify(webhook=hook.address), **ports,
        )  # fmt: skip
        try:
            with start(settings, lambda _: None, [names.APPROVE_PROMOTION]) as api:
                matches = simulated_matches(n_seasons=4, n_a_season=310)
                trained = train_on(settings, matches, QUICK, datetime(2019, 7, 1, tzinfo=UTC), "train")
                assert (trained.version, trained.alias) == ("1", "candidate")
                registry = open_registry(settings)
                registry.client.set_model_version_tag(registry.model_name, "1", ASKED, "true")
                yield Asking(Installation(settings, hook), api, registry)
        finally:
            services.stop_all(settings)
            shutil.rmtree(home, ignore_errors=True)


def test_a_version_that_somebody_was_asked_about_is_not_asked_about_again(asking: Asking):
    run = asking.api.trigger(names.APPROVE_PROMOTION, {"announce": False})
    asking.await_end(run)
    assert asking.state(run, APPROVE_TASK) == "skipped"


def test_no_leaves_the_champion_and_fails_nothing(asking: Asking):
    with asking.question() as run:
        subject = subject_of(asking.settings.model_name, "1")
        assert asking.api.open_questions(run.dag_id) == [(run.run_id, subject)]
        assert asking.installation.hook is not None
        assert any(subject in told for told in asking.installation.hook.told)
        asking.api.answer(run.dag_id, run.run_id, APPROVE_TASK, "Reject")
    assert (asking.state(run, APPROVE_TASK), asking.state(run, "promote")) == ("success", "skipped")
    assert asking.champion == "2"


def test_yes_promotes(asking: Asking):
    with asking.question() as run:
        asking.api.answer(run.dag_id, run.run_id, APPROVE_TASK, "Approve")
    assert (asking.state(run, APPROVE_TASK), asking.state(run, "promote")) == ("success", "success")
    assert asking.champion == "1"


def test_a_promotion_by_hand_settles_the_question(asking: Asking):
    with asking.question() as run:
        done = asking.installation.touchline("models", "promote", "1")
        assert done.returncode == 0, done.stderr
    assert asking.api.open_questions(run.dag_id) == []
    assert (asking.state(run, APPROVE_TASK), asking.state(run, "promote")) == ("success", "success")
    assert asking.champion == "1"


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came to this"
        time.sleep(0.2)
