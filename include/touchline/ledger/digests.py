"""Digests of the ledger's chain, to be handed out, and exports that a stranger verifies with them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from touchline.database.engine import Connection, connect, rows
from touchline.database.queries import query
from touchline.ledger import verify_ledger
from touchline.settings import Settings

DIGESTS = "select ledger.text_of(digest) as line from ledger.digest order by position"
# Never quoted: no line holds these characters.
LINES = "copy ({}) to stdout (format csv, quote e'\\x01', delimiter e'\\x02')"


@dataclass(frozen=True)
class ExportedLedger:
    """A folder that proves the ledger: its rows, the digests, and the program that compares them."""

    folder: str
    n_rows: int
    n_digests: int

    @property
    def summary(self) -> str:
        """What to do with it."""
        return (
            f"{self.n_rows:,} rows and {self.n_digests:,} digests in {self.folder}. Anyone can check them, best with "
            "digests that were handed out earlier: python verify_ledger.py ledger.jsonl digests.jsonl"
        )


def digests_file(settings: Settings) -> Path:
    """The file to hand out: a line for each digest ever taken. What it once said is never taken out of it."""
    return settings.home / "digests" / f"{settings.warehouse_database}.jsonl"


def publish_digest(settings: Settings) -> None:
    """Note the last link of the chain, unless that was done, and add what is new to `digests_file`."""
    with connect(settings, "model") as connection:
        connection.execute("select ledger.take_digest()")
        taken = _digests(connection)
        # While no other writer has its turn.
        path = digests_file(settings)
        kept = dict.fromkeys(path.read_text().splitlines() if path.exists() else [])
        _write(path, [*(kept | dict.fromkeys(taken))])


def export_ledger(settings: Settings, folder: Path) -> ExportedLedger:
    """Write `ledger.jsonl`, `digests.jsonl` and `verify_ledger.py`, which says what they hold, into a folder.

    The rows are read from the ledger itself, in the order of its chain; a row that is missing is null, and one
    that is in no chain comes last, with hash null. Each file appears when it is complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ledger.jsonl"
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with connect(settings, "api") as connection:
        connection.execute("set transaction isolation level repeatable read")
        digests = _digests(connection)
        n_rows = write_lines(connection, draft)
    draft.replace(path)
    _write(folder / "digests.jsonl", digests)
    shutil.copy(verify_ledger.__file__, folder / "verify_ledger.py")
    return ExportedLedger(str(folder), n_rows, len(digests))


def write_lines(connection: Connection, path: Path) -> int:
    """Write the lines of the ledger, as `verify_ledger` describes them; returns how many."""
    with path.open("wb") as file, connection.cursor() as cursor:
        with cursor.copy(LINES.format(query("ledger/sql/lines"))) as copy:
            for block in copy:
                file.write(block)
        return cursor.rowcount


def _digests(connection: Connection) -> list[str]:
    return [row["line"] for row in rows(connection, DIGESTS)]


def _write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text("".join(f"{line}\n" for line in lines))
    draft.replace(path)
