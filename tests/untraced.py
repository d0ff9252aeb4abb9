"""Coverage looks at our own code: while an engine works that never calls it, nothing is traced.

Tracing takes as long as the work itself, and most of the work in these tests is done by dbt and its like.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

# Module -> what of it does work in which none of our functions is called.
ENGINES = {
    "dbt.cli.main": ("dbtRunner.invoke",),
    "feast": ("FeatureStore.apply", "FeatureStore.materialize", "FeatureStore.get_historical_features"),
    "great_expectations": ("get_context",),
    "great_expectations.core.factory.suite_factory": ("SuiteFactory.add_or_update",),
    "great_expectations.data_context": ("AbstractDataContext.build_data_docs",),
    "great_expectations.validator.v1_validator": ("Validator.validate_expectation_suite",),
    "mlflow": ("log_artifact", "log_dict", "log_figure"),
    "sqlglot.lineage": ("lineage",),
}


def look_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the engines work untraced from now on."""
    for module, names in ENGINES.items():
        for name in names:
            *holders, attribute = name.split(".")
            place = functools.reduce(getattr, holders, untraced(importlib.import_module)(module))
            monkeypatch.setattr(place, attribute, untraced(getattr(place, attribute)))


def untraced(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same without a trace function, in this thread and those it starts."""

    @functools.wraps(work)
    def worked(*arguments: Any, **named: Any) -> Any:
        tracing, tracing_of_threads = sys.gettrace(), threading.gettrace()
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        try:
            return work(*arguments, **named)
        finally:
            threading.settrace(tracing_of_threads)  # type: ignore[arg-type]
            sys.settrace(tracing)

    return worked
