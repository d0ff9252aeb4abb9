"""The "new leagues" files, `new/ARG.csv` and so on: one file per country with all its seasons since about 2012.

They have their own column names, hold closing prices of 1X2 only, and give the season in every row: `2012` for a
calendar year, `2012/2013` otherwise. The file decides the competition, because the column League also names play-offs
and cups.

Older copies write `PH`, `MaxH`, `AvgH`. Newer ones have the same numbers in `PSCH`, `MaxCH`, `AvgCH`, beside other
bookmakers' closing prices; so the older columns were closing prices too. A column without the `C` is therefore a
pre-match price only in a file that has closing columns as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from touchline.sources.football_data_uk.columns import BOOKMAKER_NAMES, QuoteColumns, quote_columns

REQUIRED = ("Country", "Season", "Date", "HomeTeam", "AwayTeam")
CODES = (
    "ARG", "AUT", "BRA", "CHN", "DNK", "FIN", "IRL", "JPN", "MEX", "NOR", "POL", "ROU", "RUS", "SWE", "SWZ", "USA",
)  # fmt: skip
NEW_LEAGUE_FILE = re.compile(r"^new/(?P<competition>[A-Z]{3})\.csv$")
# VC is a bookmaker; every other code that ends in C marks closing prices here.
NOT_CLOSING = frozenset({"VC"})
# Mexico's season begins in the first days of July UK time, the others later. In 2020 seasons ended late: in Romania and
# Switzerland in August, and Brazil's of the calendar year in the following February.
EARLIEST_START = (6, 1)
SEASON_END = (8, 31)
CALENDAR_SEASON_END = (3, 6)


def read_new_league(endpoint: str) -> str | None:
    """The competition of a new leagues file: `new/ARG.csv` -> `ARG`; None for any other endpoint."""
    match = NEW_LEAGUE_FILE.match(endpoint)
    return match["competition"] if match and match["competition"] in CODES else None


def endpoint_of(competition: str) -> str:
    """`ARG` -> `new/ARG.csv`."""
    return f"new/{competition}.csv"


def read_season(text: str) -> tuple[str, date, date] | None:
    """The warehouse's label of a season, its first and its last possible day; None when the text is not a season.

    `2012` stays `2012`; `2012/2013` becomes `2012/13`.
    """
    match = re.fullmatch(r"(\d{4})(?:/(\d{4}))?", text, re.ASCII)
    if match is None or not 1990 <= int(match[1]) <= 2100:
        return None
    start_year = int(match[1])
    if match[2] is None:
        return str(start_year), date(start_year, 1, 1), date(start_year + 1, *CALENDAR_SEASON_END)
    if int(match[2]) != start_year + 1:
        return None
    label = f"{start_year}/{int(match[2]) % 100:02d}"
    return label, date(start_year, *EARLIEST_START), date(start_year + 1, *SEASON_END)


def new_league_quotes(header: Sequence[str]) -> list[QuoteColumns]:
    """All quotes that a header offers; see above for which of them are closing prices."""
    found = [_undo_closing(columns) for columns in quote_columns(header)]
    has_closing_columns = any(columns.is_closing for columns in found)
    return found if has_closing_columns else [replace(columns, is_closing=True) for columns in found]


def _undo_closing(columns: QuoteColumns) -> QuoteColumns:
    """Correct `quote_columns`: without earlier columns, it takes closing columns for a bookmaker ending in C."""
    code = columns.prices[0][1].removesuffix("H")
    bare = code.removesuffix("C")
    if columns.market != "1x2" or columns.is_closing or code in NOT_CLOSING or bare in ("", code):
        return columns
    return replace(columns, bookmaker=BOOKMAKER_NAMES.get(bare, bare), is_closing=True)
