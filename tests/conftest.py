"""Real services for tests, one PostgreSQL and one MLflow a session; databases are copies, freshly migrated or built."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from databases import copy_of, project_parsed_once
from october import build_october
from scripted_provider import ScriptedProvider, ScriptedReply, scripted_provider
from served_world import World, build_unpredicted, predict_and_settle
from touchline.database import bootstrap, embedded
from touchline.forecasting.kept_fits import KeptFits
from touchline.operations import services
from touchline.registry import training
from touchline.registry.logged_run import Lesson, Training
from touchline.settings import PROJECT_ROOT, Settings
from untraced import look_away

for name in [
    name for name in os.environ if name.startswith("TOUCHLINE_") and name != "TOUCHLINE_SHARED_DATA"
]:
    del os.environ[name]

Learning = Callable[[Lesson, list[str], KeptFits], Training]

TEMPLATE = "touchline_template"
# By day fewer examples than Hypothesis would take; at night as many. How long one takes says nothing on a machine that
# does other things.
BY_DAY = {} if "FUZZ_CASES" in os.environ else {"max_examples": 40}
hypothesis.settings.register_profile("touchline", deadline=None, **BY_DAY)
hypothesis.settings.load_profile("touchline")
# A power cut may take the databases of tests with it, and nobody guesses the passwords of a minute. Tests open many
# connections, and most of what one costs is the four thousand rounds of hashing the password.
CHEAP = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "scram_iterations": "1"}


# What a session shares takes long to build: files that name it in one of these ways follow one another in one worker.
SHARED = {
    "MLflow": r"mlflow_server|registry: Settings",
    "served world": r"served_world: World|module_world: World|from served_world import .*\bWorld\b",
    "October": r"october: Settings",
}


class SharingStaysTogether(LoadFileScheduling):
    """Each file of tests in one worker, and with it those that need the same world."""

    def _split_scope(self, nodeid: str) -> str:
        path = super()._split_scope(nodeid)
        text = (self.config.rootpath / path).read_text()
        return next((shared for shared, names in SHARED.items() if re.search(names, text)), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Instead of `--dist loadfile`."""
    return SharingStaysTogether(config, log)


@pytest.fixture(scope="session", autouse=True)
def coverage_of_ours() -> Iterator[None]:
    """Where coverage is measured, of our code alone."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if sys.gettrace() is not None:
            look_away(monkeypatch)
        yield


@pytest.fixture(scope="session", autouse=True)
def dbt_parses_once() -> Iterator[None]:
    """Its project, for all copies of a database."""
    with project_parsed_once():
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[Settings]:
    """Settings of an installation of its own: an embedded PostgreSQL on a free port, migrated template."""
    # Not pytest's tmp_path: PostgreSQL may run as another user, who cannot enter a folder of mode 700.
    home = Path(tempfile.mkdtemp(prefix="touchline-test-"))
    home.chmod(0o755)
    settings = Settings(home=home, postgres_port=0, database_name=TEMPLATE, data_docs=False)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(embedded, "SERVER_SETTINGS", embedded.SERVER_SETTINGS | CHEAP)
        bootstrap.prepare(settings)
    yield settings
    services.stop_all(settings)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def settings(server: Settings) -> Iterator[Settings]:
    """A database of its own for one test."""
    with copy_of(server) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def module_settings(server: Settings) -> Iterator[Settings]:
    """A database shared by the tests of one module, which only read what its fixtures wrote."""
    with copy_of(server) as fresh:
        yield fresh


@pytest.fixture(scope="session")
def october(server: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A built warehouse; nobody changes it but in a copy."""
    with copy_of(server) as empty:
        yield build_october(empty, tmp_path_factory.mktemp("seasons"))


@pytest.fixture(scope="session")
def fixtures_ahead(server: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The warehouse of `served_world` before its predictions; nobody changes it but in a copy."""
    with copy_of(server) as empty:
        yield build_unpredicted(empty, tmp_path_factory.mktemp("seasons"))


@pytest.fixture(scope="session")
def served_world(fixtures_ahead: Settings) -> Iterator[World]:
    """A built warehouse with predictions; nobody changes it but in a copy."""
    with copy_of(fixtures_ahead) as unpredicted:
        yield predict_and_settle(unpredicted)


@pytest.fixture(scope="module")
def module_world(served_world: World) -> Iterator[World]:
    """The same for one module, which may change it."""
    with copy_of(served_world.settings) as settings:
        yield replace(served_world, settings=settings)


@pytest.fixture(scope="session")
def mlflow_server(server: Settings) -> Settings:
    """The same installation with an MLflow server that runs."""
    services.ensure_mlflow(server)
    return server


@pytest.fixture(scope="session")
def learning() -> Iterator[Learning]:
    """What is learnt from the same matches with the same parameters is learnt once, and registered as often as asked.

    Yields the work itself, for those who want it done again.
    """
    work, learnt = training._learn, {}

    def learn_once(lesson: Lesson, seasons: list[str], kept: KeptFits) -> Training:
        key = (lesson.key, *seasons)
        if key not in learnt:
            learnt[key] = work(lesson, seasons, kept)
        return replace(learnt[key], **vars(lesson))

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(training, "_learn", learn_once)
        yield work


@pytest.fixture
def learning_anew(learning: Learning, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever was learnt before is learnt again."""
    monkeypatch.setattr(training, "_learn", learning)
    monkeypatch.setattr(training, "KeptFits", lambda _: KeptFits(tmp_path / "fits"))


@pytest.fixture
def registry(mlflow_server: Settings, settings: Settings, learning: Learning) -> Settings:
    """Settings whose model name nobody else uses; one held-out season is enough."""
    return settings.model_copy(update={"evaluation_seasons": 1})


@pytest.fixture
def answers() -> list[ScriptedReply]:
    """What `provider` answers, in this order; a test fills it."""
    return []


@pytest.fixture
def provider(answers: list[ScriptedReply]) -> Iterator[ScriptedProvider]:
    """A provider on loopback."""
    with scripted_provider(answers) as server:
        yield server


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files, or a skip that says why."""
    folder = Path(os.environ.get("TOUCHLINE_SHARED_DATA", PROJECT_ROOT.parent / "shared" / "data"))
    if not folder.exists():
        pytest.skip(f"no real data at {folder}; set TOUCHLINE_SHARED_DATA to run this")
    return folder


@pytest.fixture(scope="session")
def season_files(shared_data: Path) -> Iterator[Path]:
    """All real season files, unpacked as `SSSS/DIV.csv`."""
    folder = Path(tempfile.mkdtemp(prefix="touchline-seasons-"))
    shutil.unpack_archive(shared_data / "football_data_uk" / "season_files_1993_2023.tar.xz", folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
