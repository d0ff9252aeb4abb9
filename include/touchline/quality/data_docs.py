"""Data Docs: the newest results of every suite, kept by each gate, and the pages that show them.

Pages are written for whom is sent to them: by a gate that breaks, before it says so, and on request
(`touchline quality docs`). Most results are never looked at, and the pages of one take longer than its checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket

from touchline.settings import Settings

# Of each suite: the index reads all of them. ops.quality_result keeps everything.
KEPT_RESULTS = 10


@dataclass(frozen=True)
class DataDocsReport:
    """Where the pages begin, and how many results they show."""

    page: str
    n_results: int

    @property
    def summary(self) -> str:
        """One sentence for people."""
        return f"{self.n_results} results of quality gates are shown in {self.page}"


class _Compiled(BytecodeCache):
    """Templates that this process has compiled."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_TEMPLATES = _Compiled()


def folder_of(settings: Settings) -> Path:
    """Where Great Expectations keeps what the Data Docs show, and the pages themselves."""
    return settings.home / "gx" / settings.warehouse_database


def index_page(settings: Settings) -> Path:
    """The page from which all others are reached."""
    return _site(settings) / "index.html"


def project(settings: Settings) -> Any:
    """A configuration in memory; one in a file would be read again some hundred times a gate."""
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        FilesystemStoreBackendDefaults,
        InMemoryStoreBackendDefaults,
    )

    if not settings.data_docs:
        return DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults())
    folder = str(folder_of(settings) / "gx")
    return DataContextConfig(store_backend_defaults=FilesystemStoreBackendDefaults(root_directory=folder))


def keep(
    settings: Settings, context: Any, suites: Sequence[Any], results: Sequence[Any], *, with_pages: bool
) -> None:
    """Keep the results of a gate, and write the pages if asked."""
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    run = RunIdentifier()
    with _alone(settings):
        for suite, result in zip(suites, results, strict=True):
            of_suite = ExpectationSuiteIdentifier(name=suite.name)
            context.expectations_store.set(of_suite, suite)
            result.meta |= {"run_id": run, "validation_time": run.run_time}
            of_result = ValidationResultIdentifier(of_suite, run, result.batch_id)
            context.validation_results_store.set(of_result, result)
        _forget_old_results(context)
        if with_pages:
            _write_pages(settings, context)


def write_pages(settings: Settings) -> DataDocsReport:
    """Write the pages of all results that are kept."""
    import great_expectations as gx

    with _alone(settings):
        context = gx.get_context(mode="ephemeral", project_config=project(settings))
        _write_pages(settings, context)
        return DataDocsReport(str(index_page(settings)), len(context.validation_results_store.list_keys()))


def _write_pages(settings: Settings, context: Any) -> None:
    from great_expectations.render.view import view

    # Every page creates its own Jinja environment and compiles all templates again, which takes longer than the checks.
    # jinja2.Environment accepts a cache only through its arguments.
    view.Environment = partial(Environment, bytecode_cache=_TEMPLATES)  # type: ignore[misc, assignment]
    there = {
        page.relative_to(_site(settings)).with_suffix("")
        for page in _site(settings).glob("validations/**/*.html")
    }
    results = [
        key
        for key in context.validation_results_store.list_keys()
        if Path("validations", *key.to_tuple()) not in there
    ]
    context.build_data_docs(resource_identifiers=[*context.expectations_store.list_keys(), *results])


def _forget_old_results(context: Any) -> None:
    """Remove all but the newest results of each suite. Their pages go when Data Docs are written the next time."""
    store, kept = context.validation_results_store, Counter[str]()
    for key in sorted(store.list_keys(), key=lambda key: key.run_id.run_time, reverse=True):
        suite = key.expectation_suite_identifier.name
        kept[suite] += 1
        if kept[suite] > KEPT_RESULTS:
            store.remove_key(key)


def _site(settings: Settings) -> Path:
    return folder_of(settings) / "gx" / "uncommitted" / "data_docs" / "local_site"


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Two gates at once would write over each other's pages."""
    folder_of(settings).mkdir(parents=True, exist_ok=True)
    with FileLock(folder_of(settings) / "lock"):
        yield
