"""The list of metrics (`metrics.yaml`), read and checked: what each query reads, how often, and what it becomes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, Field, StringConstraints, ValidationError, model_validator

from touchline.database.queries import query
from touchline.errors import SettingsInvalid
from touchline.exporter.computed import Computed
from touchline.exporter.parameters import NAMES

METRICS: Final = Path(__file__).with_name("metrics.yaml")
FOLDER: Final = "exporter/sql"

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Reads = Literal["touchline", "airflow", "mlflow"]


class Metric(BaseModel, frozen=True, extra="forbid"):
    """One metric: of a query, whose `column` has its values, or of the exporter itself."""

    name: Annotated[str, StringConstraints(pattern=r"^touchline_[a-z0-9_]+$")]
    type: Literal["gauge", "counter"]
    help: Annotated[str, StringConstraints(min_length=5)]
    unit: Literal["", "seconds", "bytes", "ratio", "nats"] = ""
    labels: tuple[Word, ...] = ()
    column: str = ""

    @model_validator(mode="after")
    def _is_well_named(self) -> Self:
        if (self.type == "counter") != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: the name of a counter, and of nothing else, ends in _total")
        for unit in ("seconds", "bytes"):
            if (self.unit == unit) != self.name.endswith(f"_{unit}"):
                raise ValueError(f"{self.name}: a metric in {unit}, and no other, is named so at its end")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"{self.name}: a label is named twice")
        return self


class Query(BaseModel, frozen=True, extra="forbid"):
    """What is read together: a file of SQL, or a function of `Computed` that gives such rows."""

    reads: Reads
    sql: Word | None = None
    computed: Word | None = None
    parameters: tuple[str, ...] = ()
    timeout_seconds: float = Field(gt=0, le=10)
    every_seconds: float = Field(ge=0, le=3600)
    most_series: int = Field(gt=0, le=1000)
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)]

    @property
    def file(self) -> str:
        """The file of SQL, as `touchline.database.queries.query` names it."""
        return f"{FOLDER}/{self.sql}"

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if (self.sql is None) == (self.computed is None):
            raise ValueError("it has either sql or computed")
        if self.computed is not None and (
            self.parameters or not callable(getattr(Computed, self.computed, None))
        ):
            raise ValueError(
                f"computed: touchline.exporter.computed has no {self.computed}, or it has parameters"
            )
        if unknown := set(self.parameters) - set(NAMES):
            raise ValueError(f"no such parameter: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
        if self.sql is not None:
            try:
                numbers = {int(found) for found in re.findall(r"\$(\d+)", query(self.file))}
            except FileNotFoundError:
                raise ValueError(f"there is no file {self.file}.sql") from None
            if numbers != set(range(1, len(self.parameters) + 1)):
                raise ValueError(
                    f"{self.file}.sql has parameters {sorted(numbers)}, the list names {len(self.parameters)}"
                )
        for metric in self.metrics:
            if not metric.column or metric.column in metric.labels:
                raise ValueError(f"{metric.name}: its column is missing, or is one of its labels")
        return self


class Catalogue(BaseModel, frozen=True, extra="forbid"):
    """The exporter's own metrics, and every query by name."""

    exporter: tuple[Metric, ...]
    queries: Mapping[Word, Query]

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        names = [metric.name for _, metric in self.metrics()]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"named twice: {', '.join(sorted(twice))}")
        return self

    def metrics(self) -> Iterator[tuple[str, Metric]]:
        """Each with the name of its query, which is empty for those of the exporter itself."""
        yield from (("", metric) for metric in self.exporter)
        for name, each in self.queries.items():
            yield from ((name, metric) for metric in each.metrics)


def read_catalogue(path: Path = METRICS) -> Catalogue:
    """The list in a file. Raises SettingsInvalid with the entry, and what is wrong with it."""
    try:
        return Catalogue.model_validate(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise SettingsInvalid(f"{path} is no YAML: {error}") from error
    except ValidationError as error:
        problems = [
            f"{_entry(each['loc'])}: {each['msg'].removeprefix('Value error, ')}" for each in error.errors()
        ]
        raise SettingsInvalid("\n".join([f"{path} cannot be used", *problems])) from error


def markdown(catalogue: Catalogue) -> str:
    """The table of docs/monitoring.md: a row a metric."""
    lines = ["| metric | type | labels | what it says | query |", "|---|---|---|---|---|"]
    for name, metric in catalogue.metrics():
        unit = f" In {metric.unit}." if metric.unit in ("ratio", "nats") else ""
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        read = f"`{name}`, {catalogue.queries[name].every_seconds:g} s" if name else ""
        lines.append(f"| `{metric.name}` | {metric.type} | {labels} | {metric.help}{unit} | {read} |")
    return "\n".join(lines) + "\n"


def _entry(place: tuple[Any, ...]) -> str:
    """Where in the file a problem is, as in queries.skill.metrics.0.help."""
    return ".".join(map(str, place)) or "the list"
