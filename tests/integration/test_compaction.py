"""Compaction: closed months lose ticks nobody can ask for by the hour, and nothing else; never half of it."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import pytest
from psycopg import errors
from typer.testing import CliRunner

from predictions import insert_prediction, unchecked
from price_ticks import MATCH, SEEN, quotes_as_of, tick, tick_frame
from touchline import cli
from touchline.database.engine import connect, rows, scalar
from touchline.errors import DatabaseUnavailable, MonthNotClosed
from touchline.landing.compaction import CompactionReport, compact
from touchline.landing.ticks import COLUMNS, PRICES, SERIES, TIME_ORDER, write_quotes
from touchline.settings import Role, Settings

pytestmark = pytest.mark.slow

MINUTE = timedelta(minutes=1)
AS_OF = datetime(2023, 1, 5, tzinfo=UTC)
JANUARY = datetime(2023, 1, 1, tzinfo=UTC)
KICKOFF = datetime(2022, 10, 3, 14, 30, tzinfo=UTC)
Tick = dict[str, Any]


def write(settings: Settings, *ticks: Tick) -> None:
    with connect(settings, "ingest") as connection:
        assert write_quotes(connection, tick_frame(ticks)) == len(ticks), "a tick repeats the one before"


def stored(settings: Settings) -> list[Tick]:
    with connect(settings, "transform") as connection:
        return rows(
            connection,
            f"select {', '.join(COLUMNS)} from landing.odds_observation order by {', '.join(SERIES + TIME_ORDER)}",
        )


def minutes_kept(settings: Settings) -> list[int]:
    """Minutes after SEEN of the quotes that are left."""
    return sorted((row["known_at"] - SEEN) // MINUTE for row in stored(settings))


def audited(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "owner") as connection:
        return rows(
            connection, "select actor, action, object, reason from ops.audit_log order by audit_log_id"
        )


def run(
    settings: Settings, before: datetime = JANUARY, as_of: datetime = AS_OF, **options: Any
) -> CompactionReport:
    return compact(settings, before, as_of, "compact-test", **options)


def announce_kickoff(settings: Settings, kickoff_at: datetime, payload: str = "E0.csv") -> None:
    with connect(settings, "ingest") as connection:
        payload_id = scalar(
            connection,
            "insert into landing.payload (source, endpoint, observed_at, is_backfill, content_hash, n_bytes, body, "
            "run_id) values ('test', %s, %s, true, 'h', 1, 'b', 'test') returning payload_id",
            (payload, SEEN),
        )
        connection.execute(
            "insert into landing.fixture_observation values (%(key)s, 'test', 'E0', '2022/23', 'Arsenal', 'Leeds', "
            "%(kickoff)s, %(kickoff)s, true, 'scheduled', %(payload)s, 1, %(seen)s, %(seen)s, %(seen)s)",
            {"key": MATCH, "kickoff": kickoff_at, "payload": payload_id, "seen": SEEN},
        )


def ticks_at(*minutes: int, **changes: Any) -> list[Tick]:
    return [
        tick(SEEN + minute * MINUTE, 2 + minute / 100, payload_id=minute, **changes) for minute in minutes
    ]


def test_the_opening_and_the_last_of_each_hour_stay(settings: Settings):
    write(settings, *ticks_at(5, 10, 50, 59, 60, 61, 185, 190))
    report = run(settings)
    assert minutes_kept(settings) == [5, 59, 61, 190]
    assert [(month.partition, month.rows_before, month.rows_after) for month in report.months] == [
        ("odds_observation_202210", 8, 4)
    ]


def test_the_last_before_every_kickoff_ever_announced_stays(settings: Settings):
    announce_kickoff(settings, KICKOFF)
    announce_kickoff(settings, KICKOFF + 100 * MINUTE, payload="later")
    # The first kick-off is at minute 150: a quote of that very minute comes too late for it.
    write(settings, *ticks_at(0, 125, 149, 150, 151, 179, 241, 249, 251, 260))
    run(settings)
    assert minutes_kept(settings) == [0, 149, 179, 249, 260]


def test_explicit_closing_prices_all_stay(settings: Settings):
    write(settings, *ticks_at(0, 1, 2, is_closing=True), *ticks_at(0, 1, 2))
    run(settings)
    assert minutes_kept(settings) == [0, 0, 1, 2, 2]


def test_what_a_prediction_used_stays(settings: Settings):
    write(settings, *ticks_at(0, 10, 20, 30, 40), *ticks_at(0, 15, 40, bookmaker="pinnacle"))
    with unchecked(settings) as connection:
        used = SEEN + 20 * MINUTE
        insert_prediction(
            connection, match_id=MATCH, features_as_of=used, predicted_at=used + MINUTE, kickoff_at=KICKOFF
        )
        before = quotes_as_of(connection, MATCH, used)
    run(settings)
    with connect(settings, "model") as connection:
        assert quotes_as_of(connection, MATCH, used) == before
    assert minutes_kept(settings) == [0, 0, 15, 20, 40, 40]


def kept_by_reference(history: Sequence[Tick], cuts: Sequence[datetime]) -> list[Tick]:
    """The plain reading of the rule, month by month; `cuts` are instants before which the last quote stays."""

    def series(row: Tick) -> tuple[Any, ...]:
        month = row["observed_at"].strftime("%Y%m")
        return (month, *(row[name] for name in SERIES))

    kept = []
    ordered = sorted(
        history, key=lambda row: (series(row), *(row[name] for name in TIME_ORDER if name not in PRICES))
    )
    for _, group in groupby(ordered, key=series):
        versions = list(group)
        wanted = {0, len(versions) - 1}
        for number, (this, following) in enumerate(pairwise(versions)):
            if this["known_at"].strftime("%d%H") != following["known_at"].strftime("%d%H"):
                wanted.add(number)
        for cut in cuts:
            before = [number for number, row in enumerate(versions) if row["known_at"] < cut]
            wanted |= {before[-1]} if before else set()
        kept += [row for number, row in enumerate(versions) if row["is_closing"] or number in wanted]
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_what_stays_is_what_the_plain_rule_keeps(settings: Settings, seed: int):
    chance = random.Random(seed)
    moments = sorted(chance.sample(range(60 * 24 * 60), 300))
    ticks = []
    for number, minute in enumerate(moments):
        # Bursts, in which several versions share an hour, and an instant.
        for offset in chance.choices((0, 0, 1, 7), k=3):
            ticks.append(
                tick(
                    SEEN + (minute + offset) * MINUTE, 2 + len(ticks) / 1000, payload_id=number,
                    row_number=len(ticks), bookmaker=chance.choice(["betway", "pinnacle"]),
                    source=chance.choice(["the_odds_api", "api_football"]), is_closing=chance.random() < 0.1,
                )
            )  # fmt: skip
    write(settings, *ticks)
    kickoffs = [SEEN + chance.choice(moments) * MINUTE for _ in range(2)]
    used = [SEEN + chance.choice(moments) * MINUTE for _ in range(5)]
    for number, kickoff in enumerate(kickoffs):
        announce_kickoff(settings, kickoff, payload=str(number))
    with unchecked(settings) as connection:
        for number, moment in enumerate(used):
            insert_prediction(
                connection, match_id=MATCH, features_as_of=moment, predicted_at=moment, feature_hash=str(number),
                kickoff_at=SEEN + timedelta(days=70),
            )  # fmt: skip
    history = stored(settings)
    expected = kept_by_reference(history, [*kickoffs, *(moment + timedelta.resolution for moment in used)])
    report = run(settings)
    left = stored(settings)

    def as_rows(kept: Sequence[Tick]) -> list[str]:
        return sorted(json.dumps(row, default=str) for row in kept)

    assert as_rows(left) == as_rows(expected)
    assert len(left) < len(history) == sum(month.rows_before for month in report.months)


def test_a_second_compaction_changes_nothing_and_each_month_is_audited_once(settings: Settings):
    write(settings, *ticks_at(0, 1, 2, 60 * 24 * 30, 60 * 24 * 30 + 1, 60 * 24 * 30 + 2))
    run(settings)
    left = stored(settings)
    again = run(settings)
    assert stored(settings) == left
    assert all(month.rows_before == month.rows_after == 2 for month in again.months)
    assert [(row["actor"], row["action"], row["object"]) for row in audited(settings)] == [
        ("touchline_owner", "COMPACT", "landing.odds_observation_202210"),
        ("touchline_owner", "COMPACT", "landing.odds_observation_202211"),
    ]
    assert audited(settings)[0]["reason"] == (
        "compacted by compact-test as of 2023-01-05T00:00:00+00:00; 3 rows before, 2 after"
    )


def test_a_dry_run_says_the_same_numbers_and_drops_nothing(settings: Settings):
    write(settings, *ticks_at(0, 1, 2))
    before = stored(settings)
    dry = run(settings, is_dry_run=True)
    assert (stored(settings), audited(settings)) == (before, [])
    assert dry.months == run(settings).months


def test_a_month_that_is_not_over_is_refused(settings: Settings):
    with pytest.raises(MonthNotClosed, match="compact before 2022-12 at the latest"):
        run(settings, as_of=JANUARY - MINUTE)


def test_later_months_are_left_alone(settings: Settings):
    write(settings, *ticks_at(0, 1, 2, 60 * 24 * 30, 60 * 24 * 30 + 1, 60 * 24 * 30 + 2))
    report = run(settings, before=datetime(2022, 11, 1, tzinfo=UTC))
    assert [month.partition for month in report.months] == ["odds_observation_202210"]
    assert len(stored(settings)) == 2 + 3


def test_collecting_goes_on_after_a_compaction_as_if_there_had_been_none(settings: Settings):
    write(settings, *ticks_at(0, 1, 2))
    run(settings)
    with connect(settings, "ingest") as connection:
        same = tick(SEEN + 3 * MINUTE, 2.02, payload_id=3)
        assert write_quotes(connection, tick_frame([same])) == 0
        assert write_quotes(connection, tick_frame([tick(SEEN + 4 * MINUTE, 2.5, payload_id=4)])) == 1


@pytest.mark.parametrize("statement", [
    "update {} set price_home = 9", "delete from {}", "truncate {}",
])  # fmt: skip
def test_a_compacted_month_is_guarded_like_any_other(settings: Settings, statement: str):
    write(settings, *ticks_at(0, 1, 2))
    run(settings)
    for table in ("landing.odds_observation", "landing.odds_observation_202210"):
        with (
            connect(settings, "owner") as connection,
            pytest.raises(errors.InsufficientPrivilege, match="append-only"),
        ):
            connection.execute(statement.format(table))


@pytest.mark.parametrize("role", ["ingest", "transform", "model", "api"])
def test_no_application_can_swap_a_partition(settings: Settings, role: Role):
    write(settings, *ticks_at(0, 1, 2))
    with connect(settings, "owner") as connection:
        connection.execute("create table landing.mine (like landing.odds_observation)")
    with (
        connect(settings, role) as connection,
        pytest.raises(errors.InsufficientPrivilege, match="swap_odds_partition"),
    ):
        connection.execute(
            "select landing.swap_odds_partition('odds_observation_202210', 'landing.mine'::regclass, 'mine')"
            if role != "api"
            else "select landing.swap_odds_partition('odds_observation_202210', null, 'mine')"
        )
    assert len(stored(settings)) == 3


@pytest.mark.parametrize(("change", "reason"), [
    ("update landing.mine set price_home = 9", "not in the original"),
    ("insert into landing.mine select * from landing.mine", "not in the original"),
    ("delete from landing.mine", "holds 0 rows"),
])  # fmt: skip
def test_a_copy_that_is_not_part_of_the_month_is_refused(settings: Settings, change: str, reason: str):
    write(settings, *ticks_at(0, 1, 2))
    before = stored(settings)
    with connect(settings, "owner") as connection:
        connection.execute("create table landing.mine (like landing.odds_observation)")
        connection.execute("insert into landing.mine select * from landing.odds_observation limit 1")
        connection.execute(change)
        connection.commit()
        with pytest.raises(errors.RaiseException, match=reason):
            connection.execute(
                "select landing.swap_odds_partition('odds_observation_202210', 'landing.mine'::regclass, 'mine')"
            )
        connection.rollback()
    assert (stored(settings), audited(settings)) == (before, [])


@contextmanager
def killed_while_waiting_for_a_reader_of(settings: Settings, table: str) -> Iterator[None]:
    """Within: compactions reach the swap of that table, wait for a reader, and are cut off by a kill."""

    def kill() -> None:
        with connect(settings, "owner") as connection:
            while not killed.is_set():
                found = rows(
                    connection,
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                    "and wait_event_type = 'Lock' and query like '%swap_odds_partition%' and pid <> pg_backend_pid()",
                )
                connection.commit()
                if found:
                    killed.set()
                time.sleep(0.02)

    killed = threading.Event()
    killer = threading.Thread(target=kill)
    with connect(settings, "owner") as reader:
        reader.execute(f"lock table only {table} in access share mode")
        killer.start()
        try:
            yield
        finally:
            killed.set()
            killer.join()


def test_a_compaction_killed_in_a_month_leaves_that_month_whole_and_the_next_run_ends_it(settings: Settings):
    write(settings, *ticks_at(0, 1, 2, 60 * 24 * 30, 60 * 24 * 30 + 1, 60 * 24 * 30 + 2))
    november = [row for row in stored(settings) if row["observed_at"].month == 11]
    with (
        killed_while_waiting_for_a_reader_of(settings, "landing.odds_observation_202211"),
        pytest.raises(DatabaseUnavailable, match="terminat"),
    ):
        run(settings)
    left = stored(settings)
    assert [row for row in left if row["observed_at"].month == 11] == november
    assert len(left) == 2 + 3
    assert [row["object"] for row in audited(settings)] == ["landing.odds_observation_202210"]
    with connect(settings, "owner") as connection:
        assert rows(connection, "select 1 from pg_class where relname like '%compacted'") == []
    run(settings)
    assert len(stored(settings)) == 2 + 2
    assert len(audited(settings)) == 2


def test_the_command_compacts_and_counts(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    write(settings, *ticks_at(0, 1, 2))
    for name, value in {**settings.environment(), "TOUCHLINE_AS_OF": "2023-01-05"}.items():
        monkeypatch.setenv(name, value)
    dry = CliRunner().invoke(cli.app, ["--json", "compact", "--before", "2023-01", "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert json.loads(dry.stdout)["months"] == [
        {"partition": "odds_observation_202210", "rows_before": 3, "rows_after": 2}
    ]
    done = CliRunner().invoke(cli.app, ["compact", "--before", "2023-01"])
    assert "dropped 1 of 3 quotes" in done.output
    wrong = CliRunner().invoke(cli.app, ["compact", "--before", "last month"])
    assert wrong.exit_code == 2
    assert "write 2026-01" in wrong.output
