"""Killed at many instants of a backfill and resumed, the collector leaves the tables of an undisturbed one."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from databases import copy_of
from simulated_world import collecting_from, simulated_world
from table_digests import table_digests
from touchline.clock import virtual_clock
from touchline.landing.collect import CollectReport
from touchline.operations.backfill import backfill
from touchline.settings import Settings
from touchline.sources.source import KINDS

pytestmark = pytest.mark.slow

# Long enough to get some work done, short enough that the kills are spread over all of it.
LONGEST_LIFE_SECONDS = 1.2


def run_backfill(settings: Settings, as_of: datetime) -> CollectReport:
    window = ((as_of - timedelta(days=3)).date(), as_of.date())
    return backfill(settings, virtual_clock(as_of), KINDS, window)


@pytest.fixture
def undisturbed(settings: Settings, tmp_path: Path) -> Iterator[tuple[Settings, Settings, datetime]]:
    """A database in which the backfill ran through, and another in which nothing has happened yet."""
    with (
        simulated_world(tmp_path) as server,
        copy_of(settings) as killed,
    ):
        report = run_backfill(collecting_from(settings, server), server.clock.now)
        assert report.problems == ()
        assert report.new_quotes > 1000
        yield settings, collecting_from(killed, server), server.clock.now


@pytest.mark.parametrize("n_kills", [6, pytest.param(50, marks=pytest.mark.nightly)])
def test_kills_lose_nothing_and_double_nothing(
    undisturbed: tuple[Settings, Settings, datetime], n_kills: int
):
    whole, killed, as_of = undisturbed
    chance = random.Random(1)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["touchline.operations.backfill"])
    n_killed = 0
    for _ in range(n_kills):
        process = context.Process(target=run_backfill, args=(killed, as_of))
        process.start()
        process.join(chance.uniform(0.1, LONGEST_LIFE_SECONDS))
        if process.is_alive():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            n_killed += 1
        process.join()
    assert n_killed > 0.8 * n_kills
    run_backfill(killed, as_of)
    assert table_digests(killed, ["landing"]) == table_digests(whole, ["landing"])
