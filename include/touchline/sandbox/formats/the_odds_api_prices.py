"""Bookmakers, markets and outcomes as The Odds API writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from touchline.sandbox import names
from touchline.sandbox.almanac import Match, Season
from touchline.sandbox.answer import Present
from touchline.sandbox.ticks import LAST_BEFORE, LISTED_DAYS, Quote, ticked_at
from touchline.sources.simulated import THE_ODDS_API

REGIONS: Final = {"B365": "uk", "BW": "eu", "PS": "eu", "WH": "uk", "VC": "uk"}
TITLES: Final = {
    "B365": "Bet365", "BW": "Bwin", "PS": "Pinnacle", "WH": "William Hill", "VC": "VC Bet",
}  # fmt: skip
MARKET_KEYS: Final = {"1x2": "h2h", "asian_handicap": "spreads", "over_under": "totals"}


def bookmakers_of(
    season: Season,
    match: Match,
    tick: int,
    chosen: Mapping[str, str],
    markets: Sequence[str],
    present: Present,
) -> list[dict[str, Any]]:
    """The `bookmakers` of an event at a tick: `chosen` maps codes of the world to keys of the provider."""
    updated = f"{ticked_at(match.kickoff_at, tick):%Y-%m-%dT%H:%M:%SZ}"
    told: dict[str, dict[str, Any]] = {}
    for quote in season.ticks.quotes(match.number, tick):
        key = MARKET_KEYS[quote.market]
        if quote.bookmaker not in chosen or key not in markets:
            continue
        bookmaker = told.setdefault(
            quote.bookmaker,
            {
                "key": chosen[quote.bookmaker],
                "title": TITLES[quote.bookmaker],
                "last_update": updated,
                "markets": [],
            },
        )
        outcomes = _outcomes(match, quote)
        if tick <= LAST_BEFORE:
            fact = f"{THE_ODDS_API} price {match.name} {quote.bookmaker} {key}"
            listed_at = match.kickoff_at - timedelta(days=LISTED_DAYS)
            outcomes[0]["price"] = present.price(fact, outcomes[0]["price"], listed_at)
        bookmaker["markets"].append({"key": key, "last_update": updated, "outcomes": outcomes})
    return list(told.values())


def _outcomes(match: Match, quote: Quote) -> list[dict[str, Any]]:
    """Teams in order of the alphabet and the draw last, as captured replies have them; never home, draw, away."""
    home, away = names.the_odds_api(match.home), names.the_odds_api(match.away)
    if quote.market == "1x2":
        prices = dict(zip((home, "Draw", away), quote.prices, strict=True))
        return [{"name": name, "price": prices[name]} for name in (*sorted((home, away)), "Draw")]
    if quote.market == "over_under":
        return [
            {"name": name, "price": price, "point": quote.line}
            for name, price in zip(("Over", "Under"), quote.prices, strict=True)
        ]
    sides = [
        {"name": home, "price": quote.prices[0], "point": quote.line},
        {"name": away, "price": quote.prices[1], "point": -quote.line},
    ]
    return sorted(sides, key=lambda side: str(side["name"]))
