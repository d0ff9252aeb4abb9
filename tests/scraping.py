"""What an exporter tells in one scrape or several, parsed as Prometheus would."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from prometheus_client.parser import text_string_to_metric_families

from touchline.exporter.catalogue import Catalogue, read_catalogue
from touchline.exporter.exporter import Exporter
from touchline.settings import Settings

# A port on which nothing listens.
NOBODY = 1

# By name and labels in their order: every process names the tests that it parametrises alike.
Series = tuple[str, tuple[tuple[str, str], ...]]


def series(name: str, **labels: str) -> Series:
    """The key of a series; without the prefix of ours."""
    return f"touchline_{name}", tuple(sorted(labels.items()))


def parsed(text: str) -> dict[Series, float]:
    """The value of each series. Two of the same are an error, as they are to Prometheus."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def exporter_of(settings: Settings, now: datetime | None, catalogue: Catalogue | None = None) -> Exporter:
    """An exporter whose run clock stands at an instant; None: the clock does not answer."""

    async def present() -> datetime | None:
        return now

    # An MLflow that happens to run on this machine is not that of a test, which names its own.
    settings = settings.model_copy(update={"mlflow_port": NOBODY})
    return Exporter(settings, catalogue or read_catalogue(), present)


def scraped(
    settings: Settings, now: datetime | None, catalogue: Catalogue | None = None
) -> Mapping[Series, float]:
    """All series of the first scrape of an exporter."""

    async def scrape() -> bytes:
        exporter = exporter_of(settings, now, catalogue)
        try:
            return await exporter.scrape()
        finally:
            await exporter.close()

    return parsed(asyncio.run(scrape()).decode())
