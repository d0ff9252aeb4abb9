"""Prices of one bookmaker that left the pack, on overround-free log-odds.

Three coordinates say all of a 1X2 quote: `side` = ln(price_away / price_home), `draw` = ln(sqrt(price_home *
price_away) / price_draw), and the overround. Two-way markets have no `draw`. Bookmakers' differences grow with how
one-sided a match is, so deviations of `side` and `draw` are divided by 1 + |side| / 2.
"""

from __future__ import annotations

import polars as pl

from touchline.anomalies.finding import MATCH, findings, nothing
from touchline.robust import sigma

PACK = ("match_id", "market", "line", "stage")
# A made-up or summary bookmaker is no witness; the source's own average is one, it is computed from dozens.
NO_WITNESS = ("market_maximum", "consensus")
FEWEST_WITNESSES = 3
SMALL_PACK = 5
FEWEST_REFERENCE = 100
FLOORS = {"side": 0.025, "draw": 0.018, "margin": 0.012}
LEFT_PACK = 10.0
WHAT_TO_DO = (
    "Compare the quote with its body (landing.payload) and the bookmaker's page: a typing error, exchanged columns, or "
    "the prices of another match (`touchline teams list` says whether a name means the wrong team). Mend the source's "
    "module or tell the source: its next version, by `touchline collect`, replaces the quote."
)


def coordinates(quotes: pl.DataFrame) -> pl.DataFrame:
    """Quotes of bookmakers with side, draw and overround; incomplete quotes are dropped."""
    one, two = pl.coalesce("price_home", "price_over"), pl.coalesce("price_away", "price_under")
    is_1x2 = pl.col("market") == "1x2"
    return (
        quotes.with_columns(pl.col(name).cast(pl.Float64) for name in quotes.columns if name.startswith("price_"))
        .with_columns(
            side=(two / one).log(),
            draw=pl.when(is_1x2).then(((one * two).sqrt() / pl.col("price_draw")).log()).otherwise(0.0),
            overround=1 / one + 1 / two + pl.when(is_1x2).then(1 / pl.col("price_draw")).otherwise(0.0),
        )
        .drop_nulls(["side", "draw", "overround"])
        .filter(~pl.col("bookmaker").is_in(NO_WITNESS))
    )  # fmt: skip


def judged(quotes: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """New quotes with the medians of their pack and `score`, the distance from it in robust standard deviations.

    Spreads come from `reference`, quotes known before: of side and draw by competition, market and stage, of the
    overround by bookmaker as well. Quotes with fewer than three witnesses, or without a reference, are left out.
    """
    usual, new = (_deviations(frame) for frame in (reference, quotes))
    by = ["competition", "market", "stage"]
    spread = (
        usual.group_by(by)
        .agg(
            n=pl.len(),
            sigma_side=sigma(pl.col("d_side"), FLOORS["side"]),
            sigma_draw=sigma(pl.col("d_draw"), FLOORS["draw"]),
        )
        .filter(pl.col("n") >= FEWEST_REFERENCE)
    )
    margins = usual.group_by([*by, "bookmaker"]).agg(
        usual_overround=pl.col("overround").median(),
        sigma_margin=sigma(pl.col("overround") - pl.col("overround").median(), FLOORS["margin"]),
    )
    return (
        new.join(spread, on=by)
        .join(margins, on=[*by, "bookmaker"], how="left")
        .with_columns(
            z_side=pl.col("d_side") / pl.col("sigma_side"),
            z_draw=pl.col("d_draw") / pl.col("sigma_draw"),
            z_margin=((pl.col("overround") - pl.col("usual_overround")) / pl.col("sigma_margin")).fill_null(
                0.0
            ),
        )
        .with_columns(
            score=(pl.col("z_side") ** 2 + pl.col("z_draw") ** 2 + (pl.col("z_margin") / 2) ** 2).sqrt()
        )
    )


def _deviations(quotes: pl.DataFrame) -> pl.DataFrame:
    found = coordinates(quotes).with_columns(
        pack_side=pl.col("side").median().over(PACK),
        pack_draw=pl.col("draw").median().over(PACK),
        n_witnesses=pl.len().over(PACK),
    )
    stretch = 1 + pl.col("pack_side").abs() / 2
    return found.filter(pl.col("n_witnesses") >= FEWEST_WITNESSES).with_columns(
        stretch=stretch,
        d_side=(pl.col("side") - pl.col("pack_side")) / stretch,
        d_draw=(pl.col("draw") - pl.col("pack_draw")) / stretch,
    )


def find_odds_anomalies(quotes: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """Quotes that left their pack.

    Both frames: core.match_odds with competition, season, kickoff_at, home_team and away_team of the match.
    """
    if quotes.is_empty() or reference.is_empty():
        return nothing()
    scored = judged(quotes, reference)
    # In a small pack a wrong price drags the median: only the one furthest away is doubted.
    alone = (pl.col("n_witnesses") > SMALL_PACK) | (pl.col("score") == pl.col("score").max().over(PACK))
    prices = [pl.col(f"price_{name}").round(2) for name in ("home", "draw", "away", "over", "under")]
    quote = pl.concat_str(prices, separator="/", ignore_nulls=True)
    return findings(
        scored.filter((pl.col("score") >= LEFT_PACK) & alone),
        detector="price_left_pack",
        subject_kind="quote",
        subject=pl.format("{}/{}/{}/{}/{}", "match_id", "bookmaker", "market", "line", "stage"),
        what=pl.format("{} {} {} of {}: far from all other bookmakers", "stage", "market", quote, "bookmaker"),
        place=MATCH,
        observed=pl.col("side"),
        expected=pl.col("pack_side"),
        score=pl.col("score"),
        compared_with=pl.format(
            "the median of {} bookmakers of the match, spread of the last matches of {}",
            "n_witnesses", "competition",
        ),
        what_to_do=WHAT_TO_DO,
        severity="warn",
    )  # fmt: skip
