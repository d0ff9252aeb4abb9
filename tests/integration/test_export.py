"""Exports: what is in the file is what is in the view, in both forms, whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from served_world import NOW, World
from touchline import cli
from touchline.database.engine import connect, rows
from touchline.errors import ExportImpossible
from touchline.settings import Settings
from touchline.warehouse import export
from touchline.warehouse.export import export_view, list_views

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(module_world: World) -> Settings:
    return module_world.settings


def view_rows(settings: Settings, view: str) -> list[dict[str, Any]]:
    """The rows of a view, UUIDs as text."""
    with connect(settings, "analyst") as connection:
        return [
            {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}
            for row in rows(connection, f"select * from analytics.{view}")
        ]


def in_any_order(found: list[dict[str, Any]]) -> list[str]:
    return sorted(map(repr, found))


def as_written(value: Any) -> str:
    """A value as a CSV file has it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%fZ}"
        case float():
            return repr(value)
        case _:
            return str(value)


def test_parquet_holds_the_rows_and_types_of_every_view(built: Settings, tmp_path: Path):
    names = list_views(built)
    assert len(names) == 20
    for view in names:
        path = tmp_path / f"{view}.parquet"
        report = export_view(built, view, path)
        table = parquet.read_table(path)
        read = [
            {
                name: value.astimezone(UTC) if isinstance(value, datetime) else value
                for name, value in row.items()
            }
            for row in table.to_pylist()
        ]
        expected = view_rows(built, view)
        assert in_any_order(read) == in_any_order(expected), view
        assert list(table.column_names) == list(expected[0] if expected else table.column_names)
        assert report.n_rows == len(expected)
    matches = parquet.read_schema(tmp_path / "matches.parquet")
    types = {name: matches.field(name).type for name in ("match_id", "kickoff_at", "kickoff_on", "is_played",
                                                         "home_goals", "tier", "p_market_home")}  # fmt: skip
    assert types == {
        "match_id": pa.string(), "kickoff_at": pa.timestamp("us", tz="UTC"), "kickoff_on": pa.date32(),
        "is_played": pa.bool_(), "home_goals": pa.int16(), "tier": pa.int32(), "p_market_home": pa.float64(),
    }  # fmt: skip


def test_csv_holds_the_rows_of_every_view(built: Settings, tmp_path: Path):
    for view in list_views(built):
        path = tmp_path / f"{view}.csv"
        export_view(built, view, path)
        expected = view_rows(built, view)
        with path.open(newline="") as file:
            read = list(csv.DictReader(file))
        assert len(read) == len(expected), view
        written = [{name: as_written(value) for name, value in row.items()} for row in expected]
        # Numbers are compared as numbers: 2 and 2.0 are the same price.
        assert in_any_order(_numbers(read)) == in_any_order(_numbers(written)), view


def _numbers(found: list[dict[str, str]]) -> list[dict[str, Any]]:
    def read(text: str) -> Any:
        try:
            return float(text)
        except ValueError:
            return text

    return [{name: read(text) for name, text in row.items()} for row in found]


def test_a_parquet_file_explains_itself(built: Settings, tmp_path: Path):
    export_view(built, "matches", tmp_path / "matches.parquet")
    schema = parquet.read_schema(tmp_path / "matches.parquet")
    assert schema.metadata[b"view"] == b"analytics.matches"
    assert datetime.fromisoformat(schema.metadata[b"as_of"].decode()) == NOW
    assert schema.metadata[b"description"].startswith(b"One row per match")
    assert schema.field("kickoff_at").metadata[b"description"] == b"Kick-off, UTC."


def test_the_same_rows_are_the_same_file_and_its_digest_is_told(built: Settings, tmp_path: Path):
    for form in ("parquet", "csv"):
        first, second = (export_view(built, "odds", tmp_path / f"{name}.{form}") for name in ("a", "b"))
        assert first.sha256 == second.sha256
        assert first.sha256 == hashlib.sha256((tmp_path / f"a.{form}").read_bytes()).hexdigest()
        assert first.n_bytes == (tmp_path / f"a.{form}").stat().st_size
        assert first.as_of == NOW


def test_an_export_that_breaks_off_leaves_the_old_file_and_no_draft(
    built: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "odds.parquet"
    export_view(built, "odds", path)
    before = path.read_bytes()
    monkeypatch.setattr(export, "BATCH", 10)
    written = 0

    def break_off(fetched: Any, schema: Any) -> Any:
        nonlocal written
        written += 1
        if written == 3:
            raise OSError("No space left on device")
        return batch(fetched, schema)

    batch = export._batch
    monkeypatch.setattr(export, "_batch", break_off)
    with pytest.raises(OSError, match="No space left"):
        export_view(built, "odds", path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["odds.parquet"]


def test_memory_does_not_grow_with_the_view(built: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "BATCH", 500)
    with connect(built, "transform") as connection:
        for n in (2_000, 40_000):
            connection.execute(
                f"create view analytics.long_{n} as select i as id, repeat('x', 200) as text "
                f"from generate_series(1, {n}) as i"
            )
    peaks = []
    try:
        for n in (2_000, 40_000):
            tracemalloc.start()
            assert export_view(built, f"long_{n}", tmp_path / "long.csv").n_rows == n
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    finally:
        with connect(built, "transform") as connection:
            connection.execute("drop view analytics.long_2000, analytics.long_40000")
    assert peaks[1] < 2 * peaks[0]


def test_a_build_need_not_wait_for_a_slow_writer(
    built: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    batch = export._batch
    renewed = []

    def renew_meanwhile(fetched: Any, schema: Any) -> Any:
        with psycopg.connect(built.url("transform")) as connection:
            connection.execute("set lock_timeout = '2s'")
            connection.execute("alter view analytics.value_watch rename to value_watch_backup")
            connection.rollback()
            renewed.append(True)
        return batch(fetched, schema)

    monkeypatch.setattr(export, "_batch", renew_meanwhile)
    assert export_view(built, "value_watch", tmp_path / "value_watch.parquet").n_rows == 3
    assert renewed


def test_an_unknown_view_is_refused_with_those_that_exist(built: Settings, tmp_path: Path):
    with pytest.raises(
        ExportImpossible, match=r"no view analytics\.match; there are: calibration, .*, value_watch"
    ):
        export_view(built, "match", tmp_path / "match.parquet")
    with pytest.raises(ExportImpossible, match="no view"):
        export_view(built, 'matches" union select * from "odds', tmp_path / "x.parquet")


def test_before_the_first_build_the_message_says_what_to_do(settings: Settings, tmp_path: Path):
    with pytest.raises(ExportImpossible, match="touchline build"):
        export_view(settings, "matches", tmp_path / "matches.parquet")


def test_a_form_nobody_writes_is_refused(built: Settings, tmp_path: Path):
    with pytest.raises(ExportImpossible, match=r"\.parquet or \.csv"):
        export_view(built, "matches", tmp_path / "matches.xlsx")


def test_a_column_that_no_file_holds_faithfully_is_refused_by_name(built: Settings, tmp_path: Path):
    with connect(built, "transform") as connection:
        connection.execute("create view analytics.exact as select 1.5 as stake, '{}'::jsonb as detail")
    try:
        with pytest.raises(ExportImpossible, match=r"stake \(numeric\), detail \(jsonb\)"):
            export_view(built, "exact", tmp_path / "exact.parquet")
    finally:
        with connect(built, "transform") as connection:
            connection.execute("drop view analytics.exact")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def run(built: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in built.environment().items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_the_command_writes_one_view_or_all(run: Any, tmp_path: Path):
    one = run("--json", "export", "matches", "--to", tmp_path / "m.csv")
    assert one.exit_code == 0, one.output
    (report,) = json.loads(one.stdout)
    assert (report["view"], report["n_rows"]) == ("matches", 18)
    everything = run("--json", "export", "--all", "--to", tmp_path / "all")
    assert everything.exit_code == 0, everything.output
    names = {Path(each["path"]).name for each in json.loads(everything.stdout)}
    assert names == {path.name for path in (tmp_path / "all").iterdir()}
    assert {"matches.parquet", "odds.parquet"} <= names
    told = run("export", "freshness", "--to", tmp_path / "all", "--format", "csv").output
    assert f"{tmp_path / 'all' / 'freshness.csv'}\n" in told


@pytest.mark.parametrize("arguments", [
    ["export", "--to", "x"], ["export", "matches", "--all", "--to", "x"], ["export", "--all", "--to", "x.parquet"],
    ["export", "matches", "--to", "x", "--format", "xlsx"], ["export", "matches"],
])  # fmt: skip
def test_wrong_usage_is_exit_code_2(run: Any, arguments: list[str]):
    assert run(*arguments).exit_code == 2
