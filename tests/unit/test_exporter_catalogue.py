"""The list of metrics: what it refuses, what a row becomes, and that the documentation has all of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from touchline.errors import SettingsInvalid
from touchline.exporter.catalogue import METRICS, Query, markdown, read_catalogue
from touchline.exporter.exporter import LONGEST_LABEL, samples_of
from touchline.settings import PROJECT_ROOT

Change = Callable[[dict[str, Any]], object]


def query(most_series: int = 10) -> Query:
    return Query.model_validate({
        "reads": "touchline", "sql": "sources", "timeout_seconds": 1, "every_seconds": 0, "most_series": most_series,
        "metrics": [
            {
                "name": "touchline_goals", "type": "gauge", "help": "Goals of a team.", "labels": ["team"],
                "column": "goals",
            },
            {"name": "touchline_whistle_seconds", "type": "gauge", "unit": "seconds", "help": "The last whistle.",
             "column": "whistle"},
        ],
    })  # fmt: skip


def read(tmp_path: Path, change: Change) -> None:
    listed = yaml.safe_load(METRICS.read_text())
    change(listed)
    path = tmp_path / "metrics.yaml"
    path.write_text(yaml.safe_dump(listed))
    read_catalogue(path)


def test_the_documentation_has_every_metric():
    assert markdown(read_catalogue()) in (PROJECT_ROOT / "docs" / "monitoring.md").read_text()


def of_skill(**values: Any) -> Change:
    return lambda listed: listed["queries"]["skill"].update(values)


def of_upcoming(**values: Any) -> Change:
    return lambda listed: listed["queries"]["upcoming"].update(values)


def of_its_metric(**values: Any) -> Change:
    return lambda listed: listed["queries"]["upcoming"]["metrics"][0].update(values)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (of_skill(computed="magic"), "queries.skill: computed: touchline.exporter.computed has no magic"),
        (of_skill(sql="settled"), "queries.skill: it has either sql or computed"),
        (of_upcoming(sql="nowhere"), "queries.upcoming: there is no file exporter/sql/nowhere.sql"),
        (
            of_upcoming(parameters=[]),
            "queries.upcoming: exporter/sql/upcoming.sql has parameters [1]",
        ),
        (of_upcoming(parameters=["today"]), "queries.upcoming: no such parameter: today"),
        (of_upcoming(reads="oracle"), "queries.upcoming.reads"),
        (of_upcoming(timeout_seconds=0), "queries.upcoming.timeout_seconds"),
        (of_upcoming(most_series=0), "queries.upcoming.most_series"),
        (of_upcoming(metrics=[]), "queries.upcoming.metrics"),
        (of_upcoming(colour="red"), "queries.upcoming.colour"),
        (of_its_metric(name="predictions"), "queries.upcoming.metrics.0.name"),
        (of_its_metric(name="touchline_predictions_late"), "named twice: touchline_predictions_late"),
        (
            of_its_metric(type="counter"),
            "queries.upcoming.metrics.0: touchline_predictions_upcoming: the name",
        ),
        (
            of_its_metric(unit="seconds"),
            "touchline_predictions_upcoming: a metric in seconds",
        ),
        (of_its_metric(labels=["a b"]), "queries.upcoming.metrics.0.labels.0"),
        (of_its_metric(labels=["n_predicted"]), "its column is missing, or is one of its labels"),
        (of_its_metric(help=""), "queries.upcoming.metrics.0.help"),
    ],
)
def test_nonsense_is_refused_with_the_entry(tmp_path: Path, change: Change, told: str):
    with pytest.raises(SettingsInvalid) as refusal:
        read(tmp_path, change)
    assert told in str(refusal.value)


def test_what_is_no_yaml_is_refused(tmp_path: Path):
    path = tmp_path / "metrics.yaml"
    path.write_text("queries: [")
    with pytest.raises(SettingsInvalid, match="is no YAML"):
        read_catalogue(path)


def test_a_row_is_a_series_of_each_metric_it_has_a_value_of():
    moment = datetime(2022, 11, 2, tzinfo=UTC)
    rows = [
        {"team": "Leeds", "goals": Decimal(2), "whistle": None},
        {"team": None, "goals": None, "whistle": moment},
    ]
    samples, n_dropped = samples_of(query(), rows)
    assert [(metric.name, labels, value) for metric, labels, value in samples] == [
        ("touchline_goals", ("Leeds",), 2.0), ("touchline_whistle_seconds", (), moment.timestamp()),
    ]  # fmt: skip
    assert n_dropped == 0


def test_beyond_the_bound_the_first_are_kept_and_the_rest_is_counted():
    rows = [{"team": f"team {n}", "goals": n, "whistle": None} for n in range(5)]
    samples, n_dropped = samples_of(query(most_series=2), rows)
    assert ([labels for _, labels, _ in samples], n_dropped) == ([("team 0",), ("team 1",)], 3)


def test_what_is_the_same_once_it_is_cut_counts_once():
    rows = [{"team": "x" * LONGEST_LABEL + end, "goals": 1, "whistle": None} for end in ("y", "z")]
    samples, n_dropped = samples_of(query(), rows)
    ((_, (label,), _),) = samples
    assert (len(label), n_dropped) == (LONGEST_LABEL, 1)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"team": "Leeds", "goals": 1}, "no column whistle"),
        ({"goals": 1, "whistle": None}, "no column team"),
        ({"team": "Leeds", "goals": "many", "whistle": None}, "'many' is no number"),
    ],
)
def test_rows_that_are_no_series_are_refused(row: dict[str, Any], told: str):
    with pytest.raises(ValueError, match=told):
        samples_of(query(), [row])


def test_durations_are_seconds():
    rows = [{"team": "Leeds", "goals": True, "whistle": timedelta(minutes=2)}]
    samples, _ = samples_of(query(), rows)
    assert [value for *_, value in samples] == [1, 120]
