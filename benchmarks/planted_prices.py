"""The recipe's wrong prices: of one bookmaker, and of all bookmakers of a match."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from benchmarks.planted_plot import Planted, Plot

# One planted anomaly in so many quotes and priced matches.
ONE_IN_QUOTES = 400
ONE_IN_PRICED_MATCHES = 150
LEAST_SHIFT, MOST_SHIFT = 0.45, 0.9
LEAST_RATIO = 1.5
LEAST_TYPO = 1.4
OVERROUND_BOUNDS = (0.97, 1.35)


def plant_quotes(plot: Plot) -> None:
    """Wrong quotes of single bookmakers."""
    area = plot.area.select("match_id")
    quotes = plot.free(plot.seasons.quotes.join(area, on="match_id", how="semi")).with_row_index()
    pack = ["match_id", "market", "line", "stage"]
    one, two = pl.coalesce("price_home", "price_over"), pl.coalesce("price_away", "price_under")
    counted = pl.col("bookmaker") != "market_maximum"
    quotes = quotes.with_columns(
        n=counted.sum().over(pack), side=(two / one).log(), pack_side=(two / one).log().median().over(pack)
    )
    offered = quotes.filter(counted & (pl.col("n") >= 3))
    kinds: dict[str, Callable[[dict[str, Any]], dict[str, float] | None]] = {
        "price_typing_error": lambda row: _typing_error(row, plot.chance),
        "line_left_pack": lambda row: _shifted(row, plot.chance, plot.chance.choice([-1.0, 1.0])),
        "sides_exchanged": _exchanged,
        "prices_of_another_match": _of_another(offered),
        "closing_moved_against": lambda row: _shifted(row, plot.chance, _against(row, before)),
    }
    key = ["match_id", "bookmaker", "market", "line"]
    before = {
        tuple(row[name] for name in key): row["pack_side"]
        for row in offered.filter(pl.col("stage") == "prematch").select(*key, "pack_side").to_dicts()
    }
    closing = offered.filter(pl.col("stage") == "closing").height
    if not closing:
        del kinds["closing_moved_against"]
    wanted = len(kinds) * max(1, round(offered.height / ONE_IN_QUOTES / len(kinds)))
    each = wanted // len(kinds)
    changes: list[dict[str, Any]] = []
    rows = iter(plot.shuffled(offered))
    for kind, change in kinds.items():
        n = 0
        for row in rows:
            if row["match_id"] in plot.used or (
                kind == "closing_moved_against" and row["stage"] != "closing"
            ):
                continue
            prices = change(row)
            if prices is None:
                continue
            changes.append({"index": row["index"], **prices})
            plot.used.add(row["match_id"])
            plot.planted.append(
                Planted(
                    kind,
                    "quote",
                    frozenset({row["match_id"]}),
                    (row["bookmaker"], row["market"], row["stage"]),
                )
            )
            n += 1
            if n == each:
                break
    _put(plot, quotes, changes)


def _put(plot: Plot, quotes: pl.DataFrame, changes: list[dict[str, Any]]) -> None:
    names = ["price_home", "price_draw", "price_away", "price_over", "price_under"]
    key = ["match_id", "bookmaker", "market", "line", "stage"]
    new = pl.DataFrame(changes, schema={"index": pl.UInt32, **dict.fromkeys(names, pl.Float64)})
    new = new.join(quotes.select("index", *key), on="index").rename({name: f"new_{name}" for name in names})
    joined = plot.seasons.quotes.join(new.drop("index"), on=key, how="left", nulls_equal=True)
    columns = [pl.coalesce(f"new_{name}", name).cast(pl.Float32).alias(name) for name in names]
    plot.seasons = replace(
        plot.seasons, quotes=joined.with_columns(columns).drop(f"new_{name}" for name in names)
    )


def _names(row: dict[str, Any]) -> tuple[str, ...]:
    return {"1x2": ("price_home", "price_draw", "price_away"), "over_under": ("price_over", "price_under"),
            "asian_handicap": ("price_home", "price_away")}[row["market"]]  # fmt: skip


def _typing_error(row: dict[str, Any], chance: np.random.Generator) -> dict[str, float] | None:
    """One digit of one price is another; the parser would let it through."""
    name = str(chance.choice(_names(row)))
    text = f"{row[name]:.2f}"
    places = [place for place, letter in enumerate(text) if letter != "."]
    for _ in range(20):
        place = int(chance.choice(places))
        price = float(text[:place] + str(chance.integers(10)) + text[place + 1 :])
        if price <= 1:
            continue
        prices = {each: float(row[each]) for each in _names(row)} | {name: price}
        ratio = max(price / row[name], row[name] / price)
        if ratio >= LEAST_TYPO and _possible(prices):
            return {name: price}
    return None


def _possible(prices: dict[str, float]) -> bool:
    return OVERROUND_BOUNDS[0] <= sum(1 / price for price in prices.values()) <= OVERROUND_BOUNDS[1]


def _shifted(row: dict[str, Any], chance: np.random.Generator, sign: float | None) -> dict[str, float] | None:
    """The whole quote moves by 0.45 to 0.9 in log-odds (more where the match is one-sided), at the same overround."""
    if sign is None:
        return None
    shift = sign * chance.uniform(LEAST_SHIFT, MOST_SHIFT) * (1 + abs(row["pack_side"]) / 2)
    names = _names(row)
    inverse = np.array([1 / row[name] for name in names])
    tilt = np.array([-shift / 2, 0.0, shift / 2] if len(names) == 3 else [-shift / 2, shift / 2])
    moved = inverse * np.exp(-tilt)
    moved *= inverse.sum() / moved.sum()
    prices = {name: round(max(1.01, 1 / p), 2) for name, p in zip(names, moved, strict=True)}
    return prices if _possible(prices) else None


def _exchanged(row: dict[str, Any]) -> dict[str, float] | None:
    names = _names(row)
    first, last = row[names[0]], row[names[-1]]
    return {names[0]: last, names[-1]: first} if max(first / last, last / first) >= LEAST_RATIO else None


def _of_another(offered: pl.DataFrame) -> Callable[[dict[str, Any]], dict[str, float] | None]:
    day = ["competition", "bookmaker", "market", "stage", "line"]
    by_day: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in offered.to_dicts():
        by_day.setdefault((*(row[name] for name in day), row["kickoff_at"].date()), []).append(row)

    def change(row: dict[str, Any]) -> dict[str, float] | None:
        least = LEAST_SHIFT * (1 + abs(row["pack_side"]) / 2)
        for other in by_day[(*(row[name] for name in day), row["kickoff_at"].date())]:
            if abs(other["side"] - row["pack_side"]) >= least:
                return {name: other[name] for name in _names(row)}
        return None

    return change


def _against(row: dict[str, Any], before: dict[tuple[Any, ...], float]) -> float | None:
    earlier = before.get((row["match_id"], row["bookmaker"], row["market"], row["line"]))
    if earlier is None or row["pack_side"] == earlier:
        return None
    return -1.0 if row["pack_side"] > earlier else 1.0


def plant_whole_matches(plot: Plot) -> None:
    """Matches whose quotes are wrong at all bookmakers alike."""
    average = plot.seasons.quotes.filter(
        (pl.col("bookmaker") == "market_average")
        & (pl.col("stage") == "prematch")
        & (pl.col("market") == "1x2")
    ).with_columns(side=(pl.col("price_away") / pl.col("price_home")).log())
    priced = plot.free(plot.area.join(average.select("match_id", "side"), on="match_id"))
    each = max(1, round(priced.height / ONE_IN_PRICED_MATCHES / 4))
    home, away, over, under = (pl.col(f"price_{name}") for name in ("home", "away", "over", "under"))
    turned = [row for row in plot.shuffled(priced) if abs(row["side"]) >= 1.2][:each]
    plot.take("match_sides_exchanged", turned)
    of = pl.col("match_id").is_in([row["match_id"] for row in turned])
    plot.change_quotes(of & (pl.col("market") != "over_under"), price_home=away, price_away=home)
    lines = plot.seasons.quotes.filter(
        (pl.col("bookmaker") == "market_average") & (pl.col("stage") == "prematch")
    )
    handicaps = lines.filter((pl.col("market") == "asian_handicap") & (pl.col("line").abs() >= 0.75))
    signs = plot.shuffled(plot.free(priced).join(handicaps.select("match_id"), on="match_id", how="semi"))[
        :each
    ]
    plot.take("handicap_sign_lost", signs)
    of = pl.col("match_id").is_in([row["match_id"] for row in signs])
    plot.change_quotes(of & (pl.col("market") == "asian_handicap"), line=-pl.col("line"))
    totals = lines.filter((pl.col("market") == "over_under") & ((under / over).log().abs() >= 0.35))
    goals = plot.shuffled(plot.free(priced).join(totals.select("match_id"), on="match_id", how="semi"))[:each]
    plot.take("over_under_exchanged", goals)
    of = pl.col("match_id").is_in([row["match_id"] for row in goals])
    plot.change_quotes(of & (pl.col("market") == "over_under"), price_over=under, price_under=over)
    _pairs(plot, priced, each)


def _pairs(plot: Plot, priced: pl.DataFrame, each: int) -> None:
    """All quotes of two matches of a competition and week are exchanged."""
    names = plot.seasons.matches.select("match_id", "home_team", "away_team", "kickoff_at")
    exchanged: dict[str, str] = {}
    rows = plot.shuffled(plot.free(priced))
    for row in rows:
        other = next(
            (other for other in rows if other["competition"] == row["competition"] and other["week"] == row["week"]
             and abs(other["side"] - row["side"]) >= 1.6 and other["match_id"] not in plot.used), None,
        )  # fmt: skip
        if other is None or row["match_id"] in plot.used:
            continue
        plot.take("matches_exchanged", [row])
        plot.take("matches_exchanged", [other])
        exchanged |= {row["match_id"]: other["match_id"], other["match_id"]: row["match_id"]}
        if len(exchanged) >= each:
            break
    order = plot.seasons.quotes.columns
    moved = plot.seasons.quotes.with_columns(pl.col("match_id").replace(exchanged))
    plot.seasons = replace(
        plot.seasons,
        quotes=moved.drop("home_team", "away_team", "kickoff_at").join(names, on="match_id").select(order),
    )
