"""The recipe: wrong prices, results, weeks, levels and features planted in real seasons, and how findings are counted.

docs/anomalies.md tells it in words. Everything comes from one seed; each match bears at most one anomaly, and no two
anomalies of weeks or levels share a competition and week.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from benchmarks.real_seasons import Seasons
from touchline.quality.anomalies.weeks import week_of

WEEK = timedelta(days=7)
# One planted anomaly in so many quotes, priced matches and results; weeks, levels and features by number a season.
ONE_IN_QUOTES = 400
ONE_IN_PRICED_MATCHES = 150
ONE_IN_RESULTS = 100
WEEKS_A_KIND = 6
LEVELS_A_KIND = 2
FEATURE_SHIFTS = 4
LEAST_SHIFT, MOST_SHIFT = 0.45, 0.9
LEAST_RATIO = 1.5
LEAST_TYPO = 1.4
OVERROUND_BOUNDS = (0.97, 1.35)


@dataclass(frozen=True)
class Planted:
    """One planted anomaly: the matches it touches, and what names it more closely."""

    kind: str
    level: str
    match_ids: frozenset[str]
    quote: tuple[str, str, str] | None = None
    weeks: frozenset[tuple[str, str]] = frozenset()
    match_week: tuple[str, str] | None = None
    feature: str | None = None


@dataclass
class Plot:
    """Seasons in which anomalies are planted, from `since` to `until`, and those that have been."""

    seasons: Seasons
    since: datetime
    until: datetime
    chance: np.random.Generator
    planted: list[Planted] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    used_weeks: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        day = week_of(pl.col("kickoff_at")).dt.strftime("%Y-%m-%d")
        inside = pl.col("kickoff_at").is_between(self.since, self.until)
        self.area = self.seasons.matches.filter(inside).with_columns(week=day)

    def change_quotes(self, where: pl.Expr, **columns: pl.Expr) -> None:
        changed = [pl.when(where).then(value).otherwise(pl.col(name)).cast(self.seasons.quotes.schema[name]).alias(name)
                   for name, value in columns.items()]  # fmt: skip
        self.seasons = replace(self.seasons, quotes=self.seasons.quotes.with_columns(changed))

    def change_matches(self, where: pl.Expr, **columns: pl.Expr) -> None:
        kinds = self.seasons.matches.schema
        changed = [pl.when(where).then(value).otherwise(pl.col(name)).cast(kinds[name]).alias(name)
                   for name, value in columns.items()]  # fmt: skip
        self.seasons = replace(self.seasons, matches=self.seasons.matches.with_columns(changed))

    def free(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of matches that bear nothing yet."""
        return frame.filter(~pl.col("match_id").is_in(list(self.used)))

    def shuffled(self, frame: pl.DataFrame) -> list[dict[str, Any]]:
        order = self.chance.permutation(frame.height)
        return frame[order].to_dicts() if frame.height else []


def plant(seasons: Seasons, since: datetime, until: datetime, seed: int) -> tuple[Seasons, list[Planted]]:
    """Seasons with anomalies planted in matches that kicked off in between, and what was planted.

    Features are planted apart, by `plant_features`, once they were computed.
    """
    plot = Plot(seasons, since, until, np.random.default_rng(seed))
    for work in (_levels, _weeks, _whole_matches, _results, _quotes):
        work(plot)
    return plot.seasons, plot.planted


# -- single quotes


def _quotes(plot: Plot) -> None:
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


# -- whole matches


def _whole_matches(plot: Plot) -> None:
    average = plot.seasons.quotes.filter(
        (pl.col("bookmaker") == "market_average")
        & (pl.col("stage") == "prematch")
        & (pl.col("market") == "1x2")
    ).with_columns(side=(pl.col("price_away") / pl.col("price_home")).log())
    priced = plot.free(plot.area.join(average.select("match_id", "side"), on="match_id"))
    each = max(1, round(priced.height / ONE_IN_PRICED_MATCHES / 4))
    home, away, over, under = (pl.col(f"price_{name}") for name in ("home", "away", "over", "under"))
    turned = [row for row in plot.shuffled(priced) if abs(row["side"]) >= 1.2][:each]
    _take(plot, "match_sides_exchanged", turned)
    of = pl.col("match_id").is_in([row["match_id"] for row in turned])
    plot.change_quotes(of & (pl.col("market") != "over_under"), price_home=away, price_away=home)
    lines = plot.seasons.quotes.filter(
        (pl.col("bookmaker") == "market_average") & (pl.col("stage") == "prematch")
    )
    handicaps = lines.filter((pl.col("market") == "asian_handicap") & (pl.col("line").abs() >= 0.75))
    signs = plot.shuffled(plot.free(priced).join(handicaps.select("match_id"), on="match_id", how="semi"))[
        :each
    ]
    _take(plot, "handicap_sign_lost", signs)
    of = pl.col("match_id").is_in([row["match_id"] for row in signs])
    plot.change_quotes(of & (pl.col("market") == "asian_handicap"), line=-pl.col("line"))
    totals = lines.filter((pl.col("market") == "over_under") & ((under / over).log().abs() >= 0.35))
    goals = plot.shuffled(plot.free(priced).join(totals.select("match_id"), on="match_id", how="semi"))[:each]
    _take(plot, "over_under_exchanged", goals)
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
        _take(plot, "matches_exchanged", [row])
        _take(plot, "matches_exchanged", [other])
        exchanged |= {row["match_id"]: other["match_id"], other["match_id"]: row["match_id"]}
        if len(exchanged) >= each:
            break
    order = plot.seasons.quotes.columns
    moved = plot.seasons.quotes.with_columns(pl.col("match_id").replace(exchanged))
    plot.seasons = replace(
        plot.seasons,
        quotes=moved.drop("home_team", "away_team", "kickoff_at").join(names, on="match_id").select(order),
    )


def _take(plot: Plot, kind: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        plot.used.add(row["match_id"])
        week = (row["competition"], row["week"])
        plot.planted.append(Planted(kind, "match", frozenset({row["match_id"]}), match_week=week))


# -- results


def _results(plot: Plot) -> None:
    counted = ("shots", "shots_on_target", "corners", "fouls", "yellow_cards")
    full = plot.free(
        plot.area.drop_nulls([f"{side}_{name}" for side in ("home", "away") for name in counted])
    )
    kinds = ("goals_typing_error", "count_typing_error", "shots_columns_exchanged", "half_time_above_full_time",
             "columns_shifted")  # fmt: skip
    each = max(1, round(full.height / ONE_IN_RESULTS / len(kinds)))
    rows = iter(plot.shuffled(full))
    for kind in kinds:
        n = 0
        for row in rows:
            side = str(plot.chance.choice(["home", "away"]))
            values = _wrong_result(kind, row, side, plot.chance)
            if values is None:
                continue
            plot.change_matches(
                pl.col("match_id") == row["match_id"],
                **{name: pl.lit(value) for name, value in values.items()},
            )
            _take(plot, kind, [row])
            n += 1
            if n == each:
                break


def _wrong_result(
    kind: str, row: dict[str, Any], side: str, chance: np.random.Generator
) -> dict[str, int] | None:
    if kind == "goals_typing_error":
        return {f"{side}_goals": row[f"{side}_goals"] + 10}
    if kind == "half_time_above_full_time":
        half = row[f"{side}_goals_half_time"]
        return (
            None
            if half is None
            else {f"{side}_goals_half_time": row[f"{side}_goals"] + int(chance.integers(1, 4))}
        )
    if kind == "shots_columns_exchanged":
        shots, on_target = row[f"{side}_shots"], row[f"{side}_shots_on_target"]
        return {f"{side}_shots": on_target, f"{side}_shots_on_target": shots} if shots > on_target else None
    if kind == "columns_shifted":
        counts = ("shots", "shots_on_target", "fouls", "corners", "yellow_cards", "red_cards")
        order = [f"{one}_{name}" for name in counts for one in ("home", "away")]
        if any(row[name] is None for name in order):
            return None
        # One cell of the pair is lost in the middle of the row: what follows stands two columns too far left.
        return dict(zip(order, [row[name] for name in order[2:]] + [0, 0], strict=True))
    name = f"{side}_{chance.choice(['shots', 'corners', 'fouls', 'yellow_cards'])}"
    # The last digit is typed twice.
    return {name: row[name] * 10 + row[name] % 10} if row[name] >= 5 else None


# -- weeks of a competition


def _weeks(plot: Plot) -> None:
    counted = plot.area.group_by("competition", "week", maintain_order=True).agg(
        pl.len(), n_shots=pl.col("home_corners").count()
    )
    full = counted.filter(pl.col("len") >= 0.8 * pl.col("len").max().over("competition")).sort(
        "competition", "week"
    )
    changes: dict[str, Callable[[Plot, pl.Expr, pl.DataFrame], None]] = {
        "goals_doubled": lambda plot, where, _: plot.change_matches(
            where, **{name: pl.col(name) * 2 for name in _goals()}
        ),
        "columns_exchanged": lambda plot, where, _: plot.change_matches(
            where, home_fouls=pl.col("home_corners"), away_fouls=pl.col("away_corners"),
            home_corners=pl.col("home_fouls"), away_corners=pl.col("away_fouls"),
        ),
        "results_missing": _lose_results,
        "matches_missing": _lose_matches,
        "bookmakers_missing": _lose_bookmakers,
        "round_duplicated": _duplicate,
    }  # fmt: skip
    rows = iter(plot.shuffled(full))
    for kind, change in changes.items():
        n = 0
        for row in rows:
            week = (row["competition"], row["week"])
            if week in plot.used_weeks or (kind == "columns_exchanged" and row["n_shots"] < row["len"]):
                continue
            hit = plot.area.filter((pl.col("competition") == week[0]) & (pl.col("week") == week[1]))
            ids = hit["match_id"].to_list()
            change(plot, pl.col("match_id").is_in(ids), hit)
            touched = {*ids, *(f"again-{each}" for each in ids)} if kind == "round_duplicated" else set(ids)
            plot.used |= touched
            plot.used_weeks.add(week)
            plot.planted.append(Planted(kind, "week", frozenset(touched), weeks=frozenset({week})))
            n += 1
            if n == WEEKS_A_KIND:
                break


def _goals() -> list[str]:
    return [f"{side}_{name}" for side in ("home", "away") for name in ("goals", "goals_half_time")]


def _lose_results(plot: Plot, where: pl.Expr, _: pl.DataFrame) -> None:
    counts = [name for name, kind in plot.seasons.matches.schema.items() if kind == pl.Int16]
    plot.change_matches(
        where, **dict.fromkeys([*counts, "result_known_at"], pl.lit(None)), status=pl.lit("scheduled")
    )


def _lose_matches(plot: Plot, where: pl.Expr, _: pl.DataFrame) -> None:
    plot.seasons = Seasons(plot.seasons.matches.filter(~where), plot.seasons.quotes.filter(~where))


def _lose_bookmakers(plot: Plot, where: pl.Expr, hit: pl.DataFrame) -> None:
    """Half of the bookmakers, rounded up, are not in the file of the week."""
    there = plot.seasons.quotes.filter(where)["bookmaker"].unique().sort().to_list()
    own = [name for name in there if not name.startswith("market_")]
    gone = list(plot.chance.choice(own, (len(own) + 1) // 2, replace=False))
    plot.seasons = replace(
        plot.seasons, quotes=plot.seasons.quotes.filter(~(where & pl.col("bookmaker").is_in(gone)))
    )


def _duplicate(plot: Plot, where: pl.Expr, _: pl.DataFrame) -> None:
    """The matches of the week stand in the file a second time, a day or two later."""
    later = timedelta(days=int(plot.chance.integers(1, 3)))
    again = [
        frame.filter(where).with_columns(
            pl.col("kickoff_at") + later, match_id=pl.format("again-{}", "match_id")
        )
        for frame in (plot.seasons.matches, plot.seasons.quotes)
    ]
    plot.seasons = Seasons(
        pl.concat([plot.seasons.matches, again[0]]).sort("kickoff_at", "match_id"),
        pl.concat([plot.seasons.quotes, again[1]]),
    )


# -- levels


def _levels(plot: Plot) -> None:
    """From a week between November and January on, until the season's end, a competition is at another level."""
    chosen = list(plot.chance.permutation(sorted(set(plot.area["competition"]))))
    for kind in ("overround_higher", "goals_higher", "bookmakers_gone"):
        for _ in range(LEVELS_A_KIND):
            if not chosen:
                return
            competition = str(chosen.pop())
            start = plot.since + timedelta(days=int(plot.chance.integers(110, 200)))
            hit = plot.area.filter((pl.col("competition") == competition) & (pl.col("kickoff_at") >= start))
            where = pl.col("match_id").is_in(hit["match_id"].to_list())
            if kind == "overround_higher":
                names = ("home", "draw", "away", "over", "under")
                plot.change_quotes(
                    where, **{f"price_{name}": pl.col(f"price_{name}") / 1.03 for name in names}
                )
            elif kind == "goals_higher":
                extra = pl.Series(plot.chance.binomial(1, 0.6, plot.seasons.matches.height))
                plot.change_matches(
                    where, home_goals=pl.col("home_goals") + extra, away_goals=pl.col("away_goals") + extra
                )
            else:
                _lose_bookmakers(plot, where, hit)
            weeks = frozenset((competition, week) for week in hit["week"].unique())
            plot.used |= set(hit["match_id"])
            plot.used_weeks |= {(competition, week) for week in plot.area["week"].unique()}
            plot.planted.append(Planted(kind, "level", frozenset(hit["match_id"]), weeks=weeks))


# -- features


def plant_features(
    matches: pl.DataFrame,
    since: datetime,
    until: datetime,
    names: tuple[str, ...],
    block_start: datetime,
    seed: int,
) -> tuple[pl.DataFrame, list[Planted]]:
    """Features that for four weeks (28 days from a multiple of 28 days after `block_start`) are wrong everywhere.

    By turns: 1.3 times too large, missing in half of the rows, or the value of another match.
    """
    chance = np.random.default_rng(seed)
    planted = []
    first = (since - block_start) // timedelta(days=28) + 2
    starts = [
        block_start + timedelta(days=28) * (first + int(n)) for n in chance.permutation(8)[:FEATURE_SHIFTS]
    ]
    chosen = chance.permutation(len(names))[:FEATURE_SHIFTS]
    for number, (start, index) in enumerate(zip(starts, chosen, strict=True)):
        name = names[int(index)]
        week = week_of(pl.col("kickoff_at"))
        inside = (week >= start) & (week < start + timedelta(days=28)) & (pl.col("kickoff_at") < until)
        half = pl.Series(chance.random(matches.height) < 0.5)
        value = {
            0: pl.col(name) * 1.3 + pl.col(name).std(),
            1: pl.when(half).then(pl.col(name)),
            2: pl.lit(0.0),
        }[number % 3]
        matches = matches.with_columns(pl.when(inside).then(value).otherwise(pl.col(name)).alias(name))
        ids = frozenset(matches.filter(inside)["match_id"])
        planted.append(Planted(("feature_scaled", "feature_missing", "feature_zero")[number % 3], "feature", ids,
                               feature=f"{name}/{start.date().isoformat()}"))  # fmt: skip
    return matches, planted
