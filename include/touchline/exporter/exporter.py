"""Scrapes: read what is due, keep what is not, and write all of it as Prometheus reads it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

import asyncpg
from prometheus_client import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from touchline.clock import live_clock
from touchline.database.queries import query as sql_of
from touchline.errors import DatabaseUnavailable
from touchline.exporter.catalogue import Catalogue, Metric, Query, Reads
from touchline.exporter.computed import Computed, Row
from touchline.exporter.database import GRACE_SECONDS, Database
from touchline.exporter.parameters import Moment, bound
from touchline.serving.present import Present
from touchline.settings import Settings

log = logging.getLogger(__name__)

# Prometheus waits for ten.
SCRAPE_SECONDS: Final = 8.0
# What failed is tried again as soon, though what succeeds is kept for longer.
RETRY_SECONDS: Final = 60.0
NEVER: Final = float("-inf")
AWAY: Final = "the database does not answer"
LONGEST_LABEL: Final = 120

# Metric, values of its labels, value.
Sample = tuple[Metric, tuple[str, ...], float]


@dataclass(frozen=True)
class Reading:
    """What the last reading of a query gave; without samples when it failed. `read_at` is monotonic, `wall` UTC."""

    samples: tuple[Sample, ...] = ()
    n_dropped: int = 0
    error: str = ""
    seconds: float = 0.0
    read_at: float = NEVER
    wall: datetime | None = None


@dataclass(frozen=True)
class _Collected:
    """What `generate_latest` takes as a registry."""

    families: Sequence[Family]

    def collect(self) -> Iterable[Family]:
        return self.families


class Exporter:
    """All metrics of these settings. `present` gives the run clock's present (UTC), None while it does not answer."""

    def __init__(self, settings: Settings, catalogue: Catalogue, present: Present) -> None:
        self._catalogue = catalogue
        self._present = present
        self._computed = Computed(settings)
        self._databases: dict[Reads, Database] = {
            "touchline": Database(partial(settings.url, "metrics")),
            "airflow": Database(partial(settings.url, "metrics", "airflow")),
        }
        self._readings = dict.fromkeys(catalogue.queries, Reading())
        self._scrape: asyncio.Task[bytes] | None = None
        self._is_up = True

    async def scrape(self) -> bytes:
        """All metrics in Prometheus' text format. Who asks while another one reads waits for the same reading."""
        if self._scrape is None or self._scrape.done():
            self._scrape = asyncio.create_task(self._text())
        return await asyncio.shield(self._scrape)

    async def rows(self, name: str) -> Sequence[Row]:
        """The rows of a query, read now; raises what reading it raises."""
        moment = await self._moment()
        return await self._rows(self._catalogue.queries[name], moment, SCRAPE_SECONDS)

    async def close(self) -> None:
        """Drop the connections."""
        for database in self._databases.values():
            database.close()
        await self._computed.close()

    async def _text(self) -> bytes:
        deadline = time.monotonic() + SCRAPE_SECONDS
        moment = await self._moment()
        now = time.monotonic()
        due: dict[Reads, list[str]] = {"touchline": [], "airflow": [], "mlflow": []}
        for name, each in self._catalogue.queries.items():
            reading = self._readings[name]
            kept = min(each.every_seconds, RETRY_SECONDS) if reading.error else each.every_seconds
            if now - reading.read_at >= kept:
                due[each.reads].append(name)
        await asyncio.gather(
            *(self._read_all(reads, names, moment, deadline) for reads, names in due.items())
        )
        return generate_latest(_Collected(list(self._families(moment))))

    async def _moment(self) -> Moment:
        """When it is; notes whether the database answers."""
        clock, wall = await self._present(), live_clock().as_of
        try:
            (row,) = await self._databases["touchline"].rows(sql_of("serving/sql/present"), (clock,), 2)
        except DatabaseUnavailable as error:
            if self._is_up:
                log.warning("%s", error)
            self._is_up = False
            return Moment(clock, wall)
        # Not migrated.
        except asyncpg.PostgresError:
            self._is_up = True
            return Moment(clock, wall)
        self._is_up = True
        return Moment(row["as_of"], wall)

    async def _read_all(self, reads: Reads, names: Sequence[str], moment: Moment, deadline: float) -> None:
        """Read one after another what comes over one connection; what had no turn has the first in the next scrape."""
        is_up = self._is_up or reads == "mlflow"
        for name in sorted(names, key=lambda name: self._readings[name].read_at):
            query, before, started = self._catalogue.queries[name], self._readings[name], time.monotonic()
            if not is_up or started > deadline:
                # It was not asked: the time of its last reading stays.
                error = "the queries before it took all the time of the scrape" if is_up else AWAY
                self._keep(
                    name, Reading(error=error, read_at=before.read_at if is_up else NEVER, wall=before.wall)
                )
                continue
            samples: tuple[Sample, ...] = ()
            n_dropped, error, read_at = 0, "", started
            try:
                found = await self._rows(query, moment, min(query.timeout_seconds, deadline - started))
                samples, n_dropped = samples_of(query, found)
            except DatabaseUnavailable as problem:
                is_up, error, read_at = False, str(problem), NEVER
                self._is_up = self._is_up and reads != "touchline"
            # Whatever is wrong with one query, the others are read and told.
            except Exception as problem:
                error = f"{type(problem).__name__}: {problem}"
            seconds = time.monotonic() - started
            self._keep(name, Reading(samples, n_dropped, error, seconds, read_at, moment.wall))

    def _keep(self, name: str, reading: Reading) -> None:
        if reading.error not in ("", AWAY, self._readings[name].error):
            log.warning("query %s: %s", name, reading.error)
        self._readings[name] = reading

    async def _rows(self, query: Query, moment: Moment, seconds: float) -> Sequence[Row]:
        async def read(file: str, *parameters: Any) -> Sequence[Row]:
            return await self._databases[query.reads].rows(sql_of(file), parameters, seconds)

        if query.computed is not None:
            compute = getattr(self._computed, query.computed)
            rows: Sequence[Row] = await asyncio.wait_for(compute(read, moment), seconds + GRACE_SECONDS)
            return rows
        return await read(query.file, *bound(query.parameters, moment))

    def _families(self, moment: Moment) -> Iterator[Family]:
        own: dict[str, list[tuple[tuple[str, ...], object]]] = {
            "database_up": [((), self._is_up)],
            "run_clock_timestamp_seconds": [((), moment.as_of)],
            "query_success": [((name,), not each.error) for name, each in self._readings.items()],
            "query_duration_seconds": [((name,), each.seconds) for name, each in self._readings.items()],
            "query_timestamp_seconds": [((name,), each.wall) for name, each in self._readings.items()],
            "query_series_dropped": [((name,), each.n_dropped) for name, each in self._readings.items()],
        }
        for metric in self._catalogue.exporter:
            found = own[metric.name.removeprefix("touchline_")]
            yield _family(metric, [(labels, _number(value)) for labels, value in found if value is not None])
        for name, query in self._catalogue.queries.items():
            samples = self._readings[name].samples
            for metric in query.metrics:
                yield _family(metric, [(labels, value) for each, labels, value in samples if each is metric])


def samples_of(query: Query, rows: Iterable[Row]) -> tuple[tuple[Sample, ...], int]:
    """The series that rows give, in their order and within the bound of the query, and how many were dropped.

    Of rows with the same labels (which long texts may have once they are cut) the first counts. Raises ValueError when
    the rows lack a column, or hold what is no number.
    """
    found: dict[tuple[str, tuple[str, ...]], Sample] = {}
    n_dropped = 0
    for row in rows:
        for metric in query.metrics:
            if missing := [name for name in (metric.column, *metric.labels) if name not in row.keys()]:  # noqa: SIM118
                raise ValueError(f"the rows have no column {', '.join(missing)}, which {metric.name} needs")
            value = row[metric.column]
            if value is None:
                continue
            labels = tuple(_label(row[name]) for name in metric.labels)
            key = metric.name, labels
            if key in found or len(found) >= query.most_series:
                n_dropped += 1
            else:
                found[key] = metric, labels, _number(value)
    return tuple(found.values()), n_dropped


def _family(metric: Metric, samples: Iterable[tuple[Sequence[str], float]]) -> Family:
    make = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    family = make(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _label(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"


def _number(value: object) -> float:
    """A number; instants as seconds since 1970, durations as seconds."""
    match value:
        case datetime():
            return value.timestamp()
        case timedelta():
            return value.total_seconds()
        case bool() | int() | float() | Decimal():
            return float(value)
        case _:
            raise ValueError(f"{value!r} is no number and no time")
