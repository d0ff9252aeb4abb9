"""The read API under load, beside the database's own rate for the row that it serves, in the same run.

`wrk` asks over 100, 500 and 1,000 connections without a pause: for one prediction, for predictions by key, for upcoming
predictions, and for a mix of what an application reads. `pgbench` reads a prediction by key with prepared statements
over 100 connections. Client, API and database share the machine. `API_SECONDS` is the length of each measurement, 60 if
not given; `API_PREDICTIONS` how many predictions there are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.own_server import own_server
from benchmarks.real_seasons import archive
from touchline.clock import virtual_clock
from touchline.database import embedded
from touchline.database.engine import connect, rows
from touchline.features.catalogue import FEATURES
from touchline.landing.collect import collect
from touchline.ratings.update import update_ratings
from touchline.settings import PROJECT_ROOT, Settings
from touchline.warehouse.build import build_layer

SECONDS: Final = int(os.environ.get("API_SECONDS", "60"))
N_PREDICTIONS: Final = int(os.environ.get("API_PREDICTIONS", "100_000"))
CONNECTIONS: Final = (100, 500, 1_000)
PORT: Final = 8765
ADDRESS: Final = f"http://127.0.0.1:{PORT}"
AS_OF: Final = datetime(2023, 1, 10, 12, tzinfo=UTC)
SEASONS: Final = ("2122", "2223")

PREDICT: Final = """
insert into ledger.prediction (prediction_id, match_id, competition, season, home_team, away_team, kickoff_at,
    model_name, model_version, forecast, role, predicted_at, features_as_of, clock, p_home, p_draw, p_away,
    expected_home_goals, expected_away_goals, scoreline_grid, features, feature_hash, feature_store, is_simulated,
    run_id)
select uuidv7(), match_id, competition, season, home_team, away_team, kickoff_at, 'touchline_match_result', '1',
    'with_odds', 'champion', %(at)s::timestamptz, %(at)s::timestamptz, 'virtual', 0.45, 0.3, 0.25, 1.65, 1.1,
    %(grid)s::real[], %(features)s::jsonb, repeat('0123456789abcdef', 4), 'online', false, %(run_id)s
from core.match where status = 'scheduled' and kickoff_at > %(as_of)s
order by kickoff_at
limit %(limit)s
"""
BY_KEY: Final = r"""\set n random(0, {last})
select * from ledger.prediction where prediction_id = (select prediction_id from public.sample where n = :n);
"""
# What is asked for, one address a line, is drawn at random; p95 is not among what wrk prints by itself.
ASK: Final = """
local paths = {}
for line in io.lines("%s") do paths[#paths + 1] = line end
local seed = 0
function setup(thread) seed = seed + 1; thread:set("seed", seed) end
function init() math.randomseed(seed); for _ = 1, 10 do math.random() end end
function request() return wrk.format("GET", paths[math.random(#paths)]) end
function done(summary, latency)
  io.write(string.format("RESULT %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(95), summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.status + summary.errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """Answers a second, milliseconds of the median and of the 95th percentile, and how many failed."""

    rate: float
    p50: float
    p95: float
    n_errors: int


def main() -> None:
    """Measure, and print a row for each load."""
    if shutil.which("wrk") is None or not archive().exists():
        Console().print(f"api: skipped, it needs wrk (apt-get install wrk) and real data at {archive()}")
        return
    with own_server() as settings, tempfile.TemporaryDirectory() as folder:
        ids, matches = world(settings, Path(folder), N_PREDICTIONS)
        table = Table(title=f"The read API: {len(ids):,} predictions, {SECONDS} s each")
        table.add_column("what", no_wrap=True)
        for name in ("connections", "answers/s", "of pgbench", "p50 ms", "p95 ms", "errors"):
            table.add_column(name, justify="right")
        baseline = _pgbench(settings, Path(folder), ids)
        table.add_row("pgbench, by key, prepared", "100", f"{baseline:,.0f}", "1.00", "", "", "")
        with serving(settings):
            for what, paths in _asked(ids, matches).items():
                for n in CONNECTIONS:
                    load = _wrk(Path(folder), paths, n)
                    table.add_row(
                        what, f"{n:,}", f"{load.rate:,.0f}", f"{load.rate / baseline:.2f}", f"{load.p50:.0f}",
                        f"{load.p95:.0f}", f"{load.n_errors}",
                    )  # fmt: skip
    Console(width=110).print(table)


def _asked(ids: Sequence[str], matches: Sequence[str]) -> dict[str, list[str]]:
    """The addresses of each load."""
    upcoming = "/v1/predictions/upcoming"
    chance = np.random.default_rng(1)
    by_key = [f"/v1/predictions/{each}" for each in ids]
    of_match = [f"/v1/matches/{each}" for each in matches]
    codes = ("E0", "D1", "SP1", "I1", "F1")
    mix = [
        *chance.choice(by_key, 5_000),
        *chance.choice(
            [f"{upcoming}?limit=20", *(f"{upcoming}?competition={code}&limit=20" for code in codes)], 2_500
        ),
        *chance.choice(of_match, 1_000),
        *(f"{each}/markets" for each in chance.choice(of_match, 500)),
        *(f"{each}/odds" for each in chance.choice(of_match, 500)),
        *chance.choice([f"/v1/matches?competition={code}&from=2023-01-10&limit=50" for code in codes], 300),
        *chance.choice([f"/v1/competitions/{code}/table" for code in codes], 200),
    ]
    return {
        "one prediction": by_key[:1],
        "predictions by key": by_key,
        "upcoming, 20": [f"{upcoming}?limit=20"],
        "a mix": mix,
    }


def world(settings: Settings, folder: Path, n_predictions: int) -> tuple[list[str], list[str]]:
    """Build two seasons and predict what is ahead, so many times; ids of predictions and matches."""
    unpacked = folder / "unpacked"
    shutil.unpack_archive(archive(), unpacked)
    source = folder / "source"
    source.mkdir()
    for season in SEASONS:
        shutil.move(unpacked / season, source / season)
    shutil.rmtree(unpacked)
    sourced = settings.model_copy(update={"source": str(source)})
    collect(sourced, virtual_clock(AS_OF), "benchmark")
    build_layer(sourced, "core", AS_OF, "benchmark")
    update_ratings(sourced, AS_OF, "benchmark")
    for layer in ("features", "analytics"):
        build_layer(sourced, layer, AS_OF, "benchmark")
    chance, n, number = np.random.default_rng(1), 0, 0
    while n < n_predictions:
        number += 1
        row = {
            "as_of": AS_OF, "at": AS_OF, "limit": n_predictions - n, "run_id": f"benchmark-{number}",
            "grid": chance.dirichlet(np.ones(121)).astype(np.float32).reshape(11, 11).tolist(),
            "features": json.dumps(dict(zip(FEATURES, chance.normal(size=len(FEATURES)), strict=True))),
        }  # fmt: skip
        with connect(settings, "model") as connection:
            n += connection.execute(PREDICT, row).rowcount
    with connect(settings, "ingest") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of, status, finished_at) "
            "values ('benchmark', 'predict', %s, 'success', now())",
            (AS_OF,),
        )
    with connect(settings, "owner") as connection:
        connection.execute(
            "create table public.sample as select row_number() over () - 1 as n, prediction_id from ledger.prediction"
        )
        connection.execute("create unique index on public.sample (n)")
        connection.execute("grant select on public.sample to touchline_api")
        connection.execute("analyze")
        ids = [
            row["id"] for row in rows(connection, "select prediction_id::text as id from ledger.prediction")
        ]
        matches = [
            row["id"]
            for row in rows(connection, "select distinct match_id::text as id from ledger.prediction")
        ]
    return ids, matches


def _pgbench(settings: Settings, folder: Path, ids: Sequence[str]) -> float:
    """Transactions a second of reading a prediction by key."""
    script = folder / "by_key.sql"
    script.write_text(BY_KEY.format(last=len(ids) - 1))
    command = [
        str(embedded.program_folder() / "pgbench"), "--no-vacuum", "--protocol=prepared", "--client=100", "--jobs=2",
        f"--time={SECONDS}", f"--file={script}", settings.url("api"),
    ]  # fmt: skip
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"tps = ([0-9.]+)", told)
    assert found is not None, told
    return float(found[1])


@contextmanager
def serving(settings: Settings) -> Iterator[None]:
    """The API as `touchline serve` starts it, on a port of its own."""
    served = settings.model_copy(update={"as_of": AS_OF, "api_port": PORT, "source": "football-data-uk"})
    variables = {**os.environ, **served.environment(), **served.passwords("api", "access")}
    variables["PYTHONPATH"] = str(PROJECT_ROOT / "include")
    with subprocess.Popen([sys.executable, "-m", "touchline.serving"], env=variables) as server:
        try:
            for _ in range(150):
                try:
                    httpx.get(f"{ADDRESS}/v1/health/live")
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            yield
        finally:
            server.terminate()


def _wrk(folder: Path, paths: Sequence[str], n_connections: int) -> Load:
    """One load, after a second to warm up."""
    listed, script = folder / "paths", folder / "ask.lua"
    listed.write_text("\n".join(paths))
    script.write_text(ASK % listed)
    for seconds in (1, SECONDS):
        command = [
            "wrk", "--threads=2", f"--connections={n_connections}", f"--duration={seconds}s", "--timeout=10s",
            f"--script={script}", ADDRESS,
        ]  # fmt: skip
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", told)
    assert found is not None, told
    n, duration, p50, p95, errors = map(int, found.groups())
    return Load(n / (duration / 1e6), p50 / 1e3, p95 / 1e3, errors)


if __name__ == "__main__":
    main()
