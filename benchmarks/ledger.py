"""The ledger's chain: what comparing and chaining add to an append, and how long it takes to prove a million rows.

Appends of one prediction, each its own transaction, with as many features and as large a grid as the forecasts have.
They take turns with appends to a copy of the table without triggers, so that other work on the machine meets both.
`LEDGER_ROWS` sets the number of rows that are exported and verified.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.own_server import own_server
from touchline.database.engine import connect
from touchline.features.catalogue import FEATURES
from touchline.landing.payloads import claim_world
from touchline.ledger.digests import digests_file, export_ledger, publish_digest
from touchline.ledger.verify_ledger import verify_files
from touchline.settings import Settings

N_ROWS = int(os.environ.get("LEDGER_ROWS", "1_000_000"))
N_APPENDS = 2_000
N_DIGESTS = 10
CORE = """
create table core.match as
select md5(n::text)::uuid as match_id, 'E0' as competition, '2022/23' as season, 'Home ' || n as home_team,
    'Away ' || n as away_team, '2022-11-02 15:00Z'::timestamptz + n * interval '1 minute' as kickoff_at,
    'scheduled' as status, false as is_played, n
from generate_series(1, {}) as n;
create unique index on core.match (match_id);
create unique index on core.match (n);
analyze core.match;
"""
INSERT = """
insert into {} (prediction_id, match_id, competition, season, home_team, away_team, kickoff_at, model_name,
    model_version, forecast, role, predicted_at, features_as_of, clock, p_home, p_draw, p_away, expected_home_goals,
    expected_away_goals, scoreline_grid, features, feature_hash, feature_store, is_simulated, run_id)
select match_id, match_id, competition, season, home_team, away_team, kickoff_at, 'touchline_match_result', '1',
    'with_odds', 'champion', kickoff_at - interval '1 day', kickoff_at - interval '1 day', 'virtual', 0.45678901234567,
    0.3, 0.24321098765433, 1.6543210987654321, 1.0987654321098765, %(grid)s::real[], %(features)s::jsonb,
    repeat('0123456789abcdef', 4), 'online', false, 'manual__2026-03-20T16:00:00+00:00'
from core.match where n between %(first)s and %(last)s order by n
"""


def main() -> None:
    """Append, export and verify on a server of its own, and print the times."""
    with own_server() as settings:
        with connect(settings, "ingest") as connection:
            claim_world(connection, "benchmark", is_simulated=False)
        with connect(settings, "transform") as connection:
            connection.execute(CORE.format(N_ROWS))
        plain, chained = _append(settings)
        seconds = _prove(settings, settings.home / "export")
    table = Table(title=f"The ledger: medians of {N_APPENDS:,} appends, and {N_ROWS:,} rows")
    table.add_column("what")
    table.add_column("time", justify="right")
    table.add_row("append of a prediction without triggers", f"{plain:.2f} ms")
    table.add_row("the same, compared with its match and chained", f"{chained:.2f} ms")
    for what, took in seconds.items():
        table.add_row(what, f"{took:.1f} s")
    Console().print(table)


def _append(settings: Settings) -> tuple[float, float]:
    """Milliseconds an append without triggers, and with them."""
    chance = np.random.default_rng(1)
    with connect(settings, "owner") as owner:
        owner.execute("create table ledger.plain (like ledger.prediction including all)")
        owner.execute("grant insert on ledger.plain to touchline_model")
    times: dict[str, list[float]] = {"ledger.plain": [], "ledger.prediction": []}
    with connect(settings, "model") as connection:
        for number in range(1, N_APPENDS + 1):
            row = {
                "first": number, "last": number,
                "grid": chance.dirichlet(np.ones(121)).astype(np.float32).reshape(11, 11).tolist(),
                "features": json.dumps(dict(zip(FEATURES, chance.normal(size=len(FEATURES)), strict=True))),
            }  # fmt: skip
            for table, taken in times.items():
                started = time.perf_counter()
                connection.execute(INSERT.format(table), row)
                connection.commit()
                taken.append(1000 * (time.perf_counter() - started))
    plain, chained = (statistics.median(taken) for taken in times.values())
    return plain, chained


def _prove(settings: Settings, folder: Path) -> dict[str, float]:
    """Seconds to write all rows but those there, to export all, and to verify them."""
    bounds = np.linspace(N_APPENDS, N_ROWS, N_DIGESTS + 1).astype(int).tolist()
    times = [time.perf_counter()]
    for before, last in itertools.pairwise(bounds):
        with connect(settings, "model") as connection:
            connection.execute(
                INSERT.format("ledger.prediction"),
                {"first": before + 1, "last": last, "grid": [[0.5, 0.2], [0.3, 0.0]], "features": "{}"},
            )
        publish_digest(settings)
    times.append(time.perf_counter())
    export_ledger(settings, folder)
    times.append(time.perf_counter())
    wrong, counts = verify_files(folder / "ledger.jsonl", digests_file(settings))
    times.append(time.perf_counter())
    assert (wrong, counts["rows"]) == ([], N_ROWS)
    names = (f"write the others, in {N_DIGESTS} batches", "export", "verify, from the file")
    seconds = (after - before for before, after in itertools.pairwise(times))
    return dict(zip(names, seconds, strict=True))


if __name__ == "__main__":
    main()
