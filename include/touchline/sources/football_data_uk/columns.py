"""The meaning of the columns of a football-data.co.uk file.

The provider's names changed over the years: `BbAv`/`BbMx` (BetBrain) until 2018/19, `Avg`/`Max` after. A `C`
after the bookmaker's code marks closing prices. The files call Pinnacle `PS` for 1X2 and `P` elsewhere; we use PS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Market = Literal["1x2", "over_under", "asian_handicap"]

HEADER_ALIASES = {
    "HT": "HomeTeam", "AT": "AwayTeam", "Home": "HomeTeam", "Away": "AwayTeam", "HG": "FTHG", "AG": "FTAG",
    "Res": "FTR",
}  # fmt: skip
REQUIRED = ("Div", "Date", "HomeTeam", "AwayTeam")

# Column of the file -> column of landing.score_observation.
STATISTICS = {
    "HTHG": "home_goals_half_time",
    "HTAG": "away_goals_half_time",
    "HS": "home_shots",
    "AS": "away_shots",
    "HST": "home_shots_on_target",
    "AST": "away_shots_on_target",
    "HC": "home_corners",
    "AC": "away_corners",
    "HF": "home_fouls",
    "AF": "away_fouls",
    "HY": "home_yellow_cards",
    "AY": "away_yellow_cards",
    "HR": "home_red_cards",
    "AR": "away_red_cards",
}

# Columns that the provider's notes explain and nobody here needs; LB stands once, beside the prices of that bookmaker.
UNUSED = frozenset(
    {"HTR", "Attendance", "HHW", "AHW", "HO", "AO", "HBP", "ABP", "HFKC", "AFKC", "Bb1X2", "BbOU", "BbAH", "LB",
     "League"}
)  # fmt: skip

BOOKMAKER_NAMES = {
    "Avg": "market_average",
    "BbAv": "market_average",
    "Max": "market_maximum",
    "BbMx": "market_maximum",
    "P": "PS",
}
# Half-time results and statistics have columns shaped like a bookmaker's; these codes are not bookmakers.
NOT_BOOKMAKERS = frozenset({"", "FT", "HT", "F", "H", "A"})
# The line of all handicaps of a row: at the close, before, and before as BetBrain has it.
LINES = ("AHCh", "AHh", "BbAHh")
PRICE_COLUMNS = ("price_home", "price_draw", "price_away", "price_over", "price_under")


@dataclass(frozen=True)
class QuoteColumns:
    """The columns that together make one quote; `prices` maps our price column to the file's."""

    bookmaker: str
    market: Market
    is_closing: bool
    prices: tuple[tuple[str, str], ...]
    line_column: str | None


def quote_columns(header: Sequence[str]) -> list[QuoteColumns]:
    """All quotes that a header offers, in its order. Unknown bookmakers are recognised by their columns' shape."""
    return list(_quote_columns(tuple(header)))


@lru_cache(maxsize=256)
def _quote_columns(header: tuple[str, ...]) -> tuple[QuoteColumns, ...]:
    present = set(header)
    found: list[QuoteColumns] = []
    for name in header:
        if name.endswith("AHH") and name[:-1] + "A" in present:
            found.append(_handicap(name[:-3], present))
        elif name.endswith(">2.5") and name[:-4] + "<2.5" in present:
            found.append(_over_under(name[:-4], present))
        elif name.endswith("H") and name[:-1] + "D" in present and name[:-1] + "A" in present:
            code = name[:-1]
            if code not in NOT_BOOKMAKERS:
                found.append(_one_x_two(code, present))
    return tuple(found)


def _split_closing(code: str, suffix: str, present: set[str]) -> tuple[str, bool]:
    # A trailing C marks closing prices only if the file also has the same bookmaker's earlier prices:
    # VC is a bookmaker (VC Bet), and its closing prices are VCC.
    if code.endswith("C") and code[:-1] + suffix in present:
        return code[:-1], True
    return code, False


def _one_x_two(code: str, present: set[str]) -> QuoteColumns:
    bare, is_closing = _split_closing(code, "H", present)
    prices = tuple(
        (ours, code + theirs)
        for ours, theirs in (("price_home", "H"), ("price_draw", "D"), ("price_away", "A"))
        if code + theirs in present
    )
    return QuoteColumns(BOOKMAKER_NAMES.get(bare, bare), "1x2", is_closing, prices, None)


def _over_under(code: str, present: set[str]) -> QuoteColumns:
    bare, is_closing = _split_closing(code, ">2.5", present)
    prices = (("price_over", f"{code}>2.5"), ("price_under", f"{code}<2.5"))
    return QuoteColumns(BOOKMAKER_NAMES.get(bare, bare), "over_under", is_closing, prices, None)


def _handicap(code: str, present: set[str]) -> QuoteColumns:
    bare, is_closing = _split_closing(code, "AHH", present)
    own_line = f"{code}AH"
    shared_lines = LINES[:1] if is_closing else LINES[1:]
    line = next((name for name in (own_line, *shared_lines) if name in present), None)
    prices = (("price_home", f"{code}AHH"), ("price_away", f"{code}AHA"))
    return QuoteColumns(BOOKMAKER_NAMES.get(bare, bare), "asian_handicap", is_closing, prices, line)
