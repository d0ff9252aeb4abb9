"""Rate teams at volume: one compiled pass while results came in order, written in PostgreSQL's binary format."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from psycopg import sql

from touchline.database.engine import Connection
from touchline.ratings.compiled import N_STATE_COLUMNS, STATE_COLUMNS, Floats
from touchline.ratings.engine import State, rate_arrays
from touchline.ratings.history import FOREVER, Rated
from touchline.ratings.versions import Versions

Ids = NDArray[np.uint8]
Times = NDArray[np.int64]

# Microseconds from 1970 to 2000, PostgreSQL's epoch.
_POSTGRES_EPOCH: Final = 946_684_800_000_000
_COLUMNS: Final = ("team_id", "match_id", "kickoff_at", "valid_from", "valid_to", *STATE_COLUMNS)
_TIMES: Final = ("kickoff_at", "valid_from", "valid_to")
_PIECE: Final = 20_000


@dataclass(frozen=True)
class Careers:
    """States of teams after matches, one row per team and match.

    `team_ids` and `match_ids` (n, 16) are the bytes of the ids, times are microseconds since 1970, `after`
    (n, N_STATE_COLUMNS) holds the states. `states` are each team's last, `n_matches` counts the matches rated.
    """

    team_ids: Ids
    match_ids: Ids
    kickoff_at: Times
    valid_from: Times
    valid_to: Times
    after: Floats
    states: dict[str, State]
    n_matches: int

    @classmethod
    def of(cls, rated: Sequence[Rated]) -> Careers:
        """From states that were computed one by one."""
        return cls(
            _id_bytes([each.team_id for each in rated]),
            _id_bytes([each.key[1] for each in rated]),
            np.array([each.key[0] for each in rated], dtype=np.int64),
            np.array([each.valid_from for each in rated], dtype=np.int64),
            np.array([each.valid_to for each in rated], dtype=np.int64),
            np.array([each.state for each in rated], dtype=np.float64).reshape(-1, N_STATE_COLUMNS),
            {},
            0,
        )


def rate_in_order(known: Versions) -> Careers:
    """Rate all results before the first one that came late, was corrected or was withdrawn.

    touchline.ratings.history continues from `states` with the rest.
    """
    frame = known.frame[: _first_out_of_order(known.frame)]
    if frame.is_empty():
        return Careers.of([])
    teams = {
        team: place for place, team in enumerate(sorted({*frame["home_team_id"], *frame["away_team_id"]}))
    }
    sides = np.column_stack(
        [
            frame[f"{side}_team_id"].replace_strict(teams, return_dtype=pl.Int64).to_numpy()
            for side in ("home", "away")
        ]
    )
    table = np.full((len(teams), N_STATE_COLUMNS), np.nan)
    after = rate_arrays(known.matches(len(frame)), sides, table)
    times = {name: np.repeat(frame[name].to_numpy(), 2) for name in ("kickoff_at", "valid_from")}
    return Careers(
        _id_bytes(list(teams))[sides.ravel()],
        np.repeat(_id_bytes(frame["match_id"].to_list()), 2, axis=0),
        times["kickoff_at"],
        times["valid_from"],
        np.full(2 * len(frame), FOREVER, dtype=np.int64),
        after,
        {team: tuple(table[place].tolist()) for team, place in teams.items()},
        len(frame),
    )


def _first_out_of_order(frame: pl.DataFrame) -> int:
    """The first row, in order of kick-off, that became known after a later match of its teams, or was withdrawn."""
    is_for_good = (pl.col("valid_to") == FOREVER) & ~pl.col("match_id").is_duplicated()
    rows = frame.with_row_index("row").with_columns(is_for_good.alias("is_for_good"))
    sides = pl.concat(
        [
            rows.select("row", "valid_from", pl.col(f"{side}_team_id").alias("team"))
            for side in ("home", "away")
        ]
    ).sort("row")
    later = pl.col("valid_from").reverse().cum_min().shift(1).reverse().over("team")
    late = sides.filter(pl.col("valid_from") > later)["row"].min()
    passing = rows.filter(~pl.col("is_for_good"))["row"].min()
    found = [late, passing, len(frame)]
    return min(each for each in found if isinstance(each, int))


def append(connection: Connection, careers: Careers) -> None:
    """Append all states to features.team_rating."""
    if not len(careers.after):
        return
    statement = sql.SQL("copy features.team_rating ({}) from stdin (format binary)").format(
        sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0))
        for start in range(0, len(careers.after), _PIECE):
            copy.write(_rows(careers, slice(start, start + _PIECE)).tobytes())
        copy.write(struct.pack(">h", -1))


def _rows(careers: Careers, part: slice) -> NDArray[np.void]:
    """Rows in COPY's binary format: the number of fields, then the length and the big-endian bytes of each."""
    values = careers.after[part]
    layout: list[tuple[str, str] | tuple[str, str, tuple[int]]] = [("n_fields", ">i2")]
    for name in _COLUMNS:
        layout.append((f"{name}_length", ">i4"))
        layout.append(
            (name, "u1", (16,)) if name.endswith("_id") else (name, ">i8" if name.endswith(_TIMES) else ">f8")
        )
    rows = np.zeros(len(values), dtype=layout)
    rows["n_fields"] = len(_COLUMNS)
    for name in _COLUMNS:
        rows[f"{name}_length"] = 16 if name.endswith("_id") else 8
    rows["team_id"], rows["match_id"] = careers.team_ids[part], careers.match_ids[part]
    for name, moments in (
        ("kickoff_at", careers.kickoff_at), ("valid_from", careers.valid_from), ("valid_to", careers.valid_to),
    ):  # fmt: skip
        rows[name] = moments[part] - _POSTGRES_EPOCH
    for place, name in enumerate(STATE_COLUMNS):
        rows[name] = values[:, place]
    return rows


def _id_bytes(ids: Sequence[str]) -> Ids:
    """Ids as text, as bytes (n, 16)."""
    return np.frombuffer(bytes.fromhex("".join(ids).replace("-", "")), dtype=np.uint8).reshape(-1, 16)
