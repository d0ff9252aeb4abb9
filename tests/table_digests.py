"""What a warehouse holds, as one digest a table: equal digests are equal facts, whoever wrote them and when."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from touchline.database.engine import connect, rows, scalar
from touchline.settings import Settings

# Surrogates, numbers that follow from which source answered first, and traces of the run that wrote a row; the model's
# name holds the database's.
INCIDENTAL = [
    "prediction_id", "payload_id", "fixture_payload_id", "score_payload_id", "run_id", "recorded_at", "model_name",
    "model_version", "parsed_at", "rejected_row_id", "payload_replayed_id", "team_link_id", "team_review_id",
    "forecast_id", "outcome_id", "basis",
]  # fmt: skip
SCHEMAS = ["core", "features", "ledger"]
# What waited for the word of another source, which had it already or not.
OF_THE_ORDER = ["landing.rejected_row_settled", "landing.payload_replayed", "landing.team_review"]
# Hashes of all that is incidental.
OF_THE_WRITING = ["chain", "digest"]


def table_digests(
    settings: Settings, schemas: Sequence[str] = SCHEMAS, without: Sequence[str] = ()
) -> dict[str, str]:
    """Table -> digest over its rows in any order, without the columns that are incidental or named by `without`."""
    return {
        table: _value(
            settings,
            table,
            [*INCIDENTAL, *without],
            "select count(*) || ':' || coalesce(md5(string_agg(line, '' order by line)), '') from "
            "(select md5((to_jsonb(t) - {incidental}::text[])::text) as line from {table} as t) as lines",
        )
        for table in _tables(settings, schemas)
    }


def row_counts(settings: Settings) -> dict[str, int]:
    """Table -> rows, for everything that holds facts: landing, too."""
    return {
        table: int(_value(settings, table, [], "select count(*) from {table}"))
        for table in _tables(settings, ["landing", *SCHEMAS])
    }


def lasting_counts(settings: Settings) -> dict[str, int]:
    """`row_counts` without what depends on which source answers first: of rejected rows, those that still wait."""
    counts = row_counts(settings)
    counts["landing.rejected_row"] -= counts["landing.rejected_row_settled"]
    return {table: n for table, n in counts.items() if table not in OF_THE_ORDER}


def _tables(settings: Settings, schemas: Sequence[str]) -> list[str]:
    with connect(settings, "transform") as connection:
        found = rows(
            connection,
            "select table_schema || '.' || table_name as name from information_schema.tables "
            "where table_schema = any(%s) and table_type = 'BASE TABLE' and table_name <> all(%s) order by name",
            (list(schemas), OF_THE_WRITING),
        )
    return [row["name"] for row in found]


def _value(settings: Settings, table: str, without: Sequence[str], query: str) -> str:
    statement = sql.SQL(query).format(  # type: ignore[arg-type]
        table=sql.Identifier(*table.split(".")), incidental=sql.Literal(list(without))
    )
    with connect(settings, "transform") as connection:
        return str(scalar(connection, statement))
