"""Builders of domain objects: a test names only what matters to it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

MATCH = {
    "Div": "E0", "Date": "14/01/2023", "Time": "15:00", "HomeTeam": "Arsenal", "AwayTeam": "Chelsea",
    "FTHG": "2", "FTAG": "1", "FTR": "H",
    "B365H": "2.00", "B365D": "3.50", "B365A": "4.00",
    "AvgH": "1.98", "AvgD": "3.45", "AvgA": "3.95",
    "AvgCH": "1.95", "AvgCD": "3.50", "AvgCA": "4.10",
}  # fmt: skip


def match_row(**changes: str) -> dict[str, str]:
    """One row of a season file; a changed score corrects FTR too, unless FTR is given."""
    row = {**MATCH, **changes}
    if "FTR" not in changes and row["FTHG"].isdigit() and row["FTAG"].isdigit():
        difference = int(row["FTHG"]) - int(row["FTAG"])
        row["FTR"] = "H" if difference > 0 else "A" if difference < 0 else "D"
    return row


def season_csv(rows: Sequence[Mapping[str, str]]) -> bytes:
    """The bytes of a season file holding these rows."""
    header = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def write_season_file(
    folder: Path, rows: Sequence[Mapping[str, str]], code: str = "2223", competition: str = "E0"
) -> Path:
    """Put a season file where the provider would have it below `folder`."""
    path = folder / code / f"{competition}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(season_csv(rows))
    return path
