"""Price ticks: only changes are stored, and what stood at an instant can be asked for ever after."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from builders import match_row, write_season_file
from price_ticks import MATCH, SEEN, quotes_as_of, tick, tick_frame
from touchline.clock import virtual_clock
from touchline.database import bootstrap
from touchline.database.engine import Connection, connect, rows, scalar
from touchline.landing import ticks
from touchline.landing.collect import collect
from touchline.landing.ticks import PRICES, SERIES, TIME_ORDER, write_quotes
from touchline.settings import Settings

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
Tick = dict[str, Any]


def write(settings: Settings, *given_ticks: Tick) -> int:
    with connect(settings, "ingest") as connection:
        return write_quotes(connection, tick_frame(given_ticks))


def home_prices(settings: Settings, fixture_key: str = MATCH) -> list[tuple[datetime, float]]:
    """(known_at, home price) of every stored version, in the order they came to be known."""
    with connect(settings, "ingest") as connection:
        found = rows(
            connection,
            "select known_at, price_home from landing.odds_observation where fixture_key = %s order by known_at",
            (fixture_key,),
        )
    return [(row["known_at"], row["price_home"]) for row in found]


def test_a_price_that_did_not_move_is_not_stored_again(settings: Settings):
    assert write(settings, tick(SEEN, 2.0)) == 1
    assert write(settings, tick(SEEN + HOUR, 2.0, payload_id=2)) == 0
    assert home_prices(settings) == [(SEEN, 2.0)]


def test_a_price_that_moved_and_came_back_is_three_versions(settings: Settings):
    for number, price in enumerate((2.0, 2.5, 2.5, 2.0)):
        write(settings, tick(SEEN + number * HOUR, price, payload_id=number))
    assert home_prices(settings) == [(SEEN, 2.0), (SEEN + HOUR, 2.5), (SEEN + 3 * HOUR, 2.0)]


def test_several_versions_in_one_body_are_told_apart_in_any_order(settings: Settings):
    versions = [tick(SEEN + number * HOUR, price) for number, price in enumerate((2.0, 2.0, 2.5, 2.0, 2.0))]
    random.Random(1).shuffle(versions)
    assert write(settings, *versions) == 3
    assert home_prices(settings) == [(SEEN, 2.0), (SEEN + 2 * HOUR, 2.5), (SEEN + 3 * HOUR, 2.0)]


def test_versions_seen_at_one_instant_are_ordered_by_when_they_were_quoted(settings: Settings):
    write(
        settings,
        tick(SEEN, 2.5, quoted_at=SEEN - HOUR, row_number=2),
        tick(SEEN, 2.0, quoted_at=SEEN - 2 * HOUR, row_number=3),
    )
    assert write(settings, tick(SEEN + HOUR, 2.5, payload_id=2)) == 0
    with connect(settings, "ingest") as connection:
        (stood,) = quotes_as_of(connection, MATCH, SEEN)
    assert stood["price_home"] == 2.5


@pytest.mark.parametrize("other", [
    {"source": "api_football"}, {"bookmaker": "pinnacle"}, {"is_closing": True}, {"line": 0.5},
    {"market": "asian_handicap"}, {"fixture_key": "00000000-0000-0000-0000-000000000002"},
])  # fmt: skip
def test_the_same_price_of_another_series_is_a_fact_of_its_own(settings: Settings, other: dict[str, Any]):
    write(settings, tick())
    assert write(settings, tick(SEEN + HOUR, **other)) == 1


def test_a_price_that_vanished_from_a_quote_is_a_change(settings: Settings):
    write(settings, tick())
    assert write(settings, tick(SEEN + HOUR, price_draw=None)) == 1
    assert write(settings, tick(SEEN + 2 * HOUR, price_draw=None)) == 0


def test_a_late_version_does_not_stand_in_for_the_newest(settings: Settings):
    write(settings, tick(SEEN + 10 * HOUR, 2.0))
    late = {"observed_at": SEEN + 11 * HOUR, "payload_id": 2}
    # Of one batch: one from before the newest, one from after it, at the same price.
    assert write(settings, tick(SEEN + 5 * HOUR, 2.5, **late), tick(SEEN + 12 * HOUR, 2.5, payload_id=2)) == 2
    assert write(settings, tick(SEEN + 6 * HOUR, 3.0, **late)) == 1
    # The newest is still 2.5, whatever was stored last.
    assert write(settings, tick(SEEN + 13 * HOUR, 2.5, payload_id=3)) == 0
    assert write(settings, tick(SEEN + 14 * HOUR, 3.0, payload_id=3)) == 1


def test_a_batch_larger_than_a_chunk_is_compared_across_chunks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ticks, "CHUNK", 3)
    prices = [2.0, 2.0, 2.0, 2.0, 2.5, 2.5, 2.5, 2.0, 2.0]
    stored = write(settings, *(tick(SEEN + number * HOUR, price) for number, price in enumerate(prices)))
    assert stored == 3
    assert [price for _, price in home_prices(settings)] == [2.0, 2.5, 2.0]


def test_months_are_told_apart_in_utc_and_noted(settings: Settings):
    last, first = datetime(2022, 10, 31, 23, 59, 59, tzinfo=UTC), datetime(2022, 11, 1, tzinfo=UTC)
    write(settings, tick(last, 2.0), tick(first, 2.5))
    with connect(settings, "ingest") as connection:
        placed = rows(
            connection, "select tableoid::regclass::text as name, price_home from landing.odds_observation"
        )
        noted = rows(connection, "select month from landing.odds_month order by month")
    assert {(row["name"], row["price_home"]) for row in placed} == {
        ("landing.odds_observation_202210", 2.0), ("landing.odds_observation_202211", 2.5),
    }  # fmt: skip
    assert [row["month"] for row in noted] == [datetime(2022, 10, 1, tzinfo=UTC), first]


def test_a_batch_is_compared_with_only_the_months_that_hold_its_matches(settings: Settings):
    for month in range(1, 13):
        other = f"00000000-0000-0000-0000-{month:012d}"
        write(settings, tick(datetime(2022, month, 5, tzinfo=UTC), fixture_key=other))
    again = tick(datetime(2022, 7, 6, tzinfo=UTC), fixture_key="00000000-0000-0000-0000-000000000007")
    with connect(settings, "ingest") as connection:
        assert write_quotes(connection, tick_frame([again])) == 0
        read = rows(
            connection,
            "select relname from pg_locks inner join pg_class on pg_class.oid = relation "
            "where pid = pg_backend_pid() and relname ~ '^odds_observation_2022..$'",
        )
    assert [row["relname"] for row in read] == ["odds_observation_202207"]


polls = st.lists(
    st.lists(
        st.fixed_dictionaries({
            "bookmaker": st.sampled_from(["betway", "pinnacle"]),
            "line": st.sampled_from([0.0, -0.5]),
            "is_closing": st.booleans(),
            "home": st.sampled_from([1.5, 2.0, 2.5]),
            "minutes": st.integers(0, 3),
        }),
        min_size=1, max_size=8,
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def told(fixture_key: str, poll: int, quotes: Sequence[dict[str, Any]]) -> list[Tick]:
    """The ticks of one poll; polls are ten days apart, so that they fall into several months."""
    at = SEEN + poll * timedelta(days=10)
    return [
        tick(
            at + timedelta(minutes=quote["minutes"]), quote["home"], fixture_key=fixture_key, payload_id=poll,
            row_number=number, bookmaker=quote["bookmaker"], line=quote["line"], is_closing=quote["is_closing"],
        )
        for number, quote in enumerate(quotes)
    ]  # fmt: skip


def stood(history: Sequence[Tick], as_of: datetime) -> dict[tuple[Any, ...], list[float | None]]:
    """The plain reference: of all ticks ever seen, the prices of the last one of every series."""
    newest = {}
    for one in sorted(history, key=lambda one: [one[name] for name in TIME_ORDER if name not in PRICES]):
        if one["known_at"] <= as_of:
            newest[tuple(one[name] for name in SERIES if name != "fixture_key")] = [
                one[name] for name in PRICES
            ]
    return newest


def looked_up(connection: Connection, key: str, as_of: datetime) -> dict[tuple[Any, ...], list[float | None]]:
    found = quotes_as_of(connection, key, as_of)
    assert {row["fixture_key"] for row in found} <= {UUID(key)}
    return {
        tuple(row[name] for name in SERIES if name != "fixture_key"): [
            None if row[name] is None else pytest.approx(row[name]) for name in PRICES
        ]
        for row in found
    }


@given(polls=polls, at_once=st.booleans())
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_stored_tells_what_was_known_then_although_repeats_are_left_out(
    settings: Settings, polls: list[list[dict[str, Any]]], at_once: bool
):
    key = str(uuid4())
    batches = [told(key, number, quotes) for number, quotes in enumerate(polls)]
    history = [one for batch in batches for one in batch]
    with connect(settings, "ingest") as connection:
        for batch in [history] if at_once else batches:
            write_quotes(connection, tick_frame(batch))
        instants = {one["known_at"] for one in history}
        for instant in sorted(instants | {moment - timedelta(microseconds=1) for moment in instants}):
            assert looked_up(connection, key, instant) == stood(history, instant)


def test_partitions_exist_before_the_month_begins(settings: Settings, tmp_path: Path):
    write_season_file(tmp_path, [match_row()])
    december = datetime(2022, 12, 31, 23, tzinfo=UTC)
    collect(settings.model_copy(update={"source": str(tmp_path)}), virtual_clock(december), "test")
    with connect(settings, "ingest") as connection:
        made = rows(
            connection, "select relname from pg_class where relname ~ '^odds_observation_[0-9]+$' order by 1"
        )
    assert [row["relname"] for row in made] == ["odds_observation_202212", "odds_observation_202301"]


def test_a_partition_is_made_while_a_reader_holds_the_table(settings: Settings):
    write(settings, tick())
    with connect(settings, "transform") as reader, connect(settings, "ingest") as writer:
        assert scalar(reader, "select count(*) from landing.odds_observation") == 1
        writer.execute("set lock_timeout = '5s'")
        ticks.ensure_partitions(writer, SEEN)
        made = scalar(
            writer, "select count(*) from pg_inherits where inhparent = 'landing.odds_observation'::regclass"
        )
        assert made == 2


def test_going_back_a_revision_keeps_the_last_version_of_a_body_and_coming_again_finds_it(settings: Settings):
    write(settings, tick(SEEN, 2.0, observed_at=SEEN + HOUR), tick(SEEN + HOUR, 2.5))
    bootstrap.downgrade(settings, "0003")
    bootstrap.migrate(settings)
    with connect(settings, "ingest") as connection:
        (stood,) = quotes_as_of(connection, MATCH, SEEN + HOUR)
    assert (stood["price_home"], stood["source"]) == (2.5, "football_data_uk")
    assert home_prices(settings) == [(SEEN + HOUR, 2.5)]
