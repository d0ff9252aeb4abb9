"""Prices of one bookmaker that left the pack, on overround-free log-odds.

Three coordinates say all of a 1X2 quote: `side` = ln(price_away / price_home), `draw` = ln(sqrt(price_home *
price_away) / price_draw), and the overround. Two-way markets have no `draw`. Bookmakers' differences grow with how
one-sided a match is, so deviations of `side` and `draw` are divided by 1 + |side| / 2.
"""

from __future__ import annotations

import polars as pl

from touchline.quality.anomalies.finding import MATCH, findings, nothing
from touchline.quality.anomalies.robust import sigma

PACK = ("match_id", "market", "line", "stage")
# A made-up or summary bookmaker is no witness; the source's own average is one, it is computed from dozens.
NO_WITNESS = ("market_maximum", "consensus")
FEWEST_WITNESSES = 3
SMALL_PACK = 5
FEWEST_REFERENCE = 100
FLOORS = {"side": 0.025, "draw": 0.018, "margin": 0.012}
LEFT_PACK = 10.0
MOVED_AGAINST = 10.0
# A quote that belongs elsewhere fits there almost exactly.
FITS = 4.0
DAYS_NEARBY = 4

WHAT_TO_DO = {
    "price_left_pack": "Compare the quote with its body (landing.payload) and the bookmaker's page; if the source is "
    "wrong, tell it: its next version, by `touchline collect`, replaces the quote.",
    "price_swapped_sides": "Home and away were exchanged in this quote: check the order of the columns in the body "
    "(landing.payload); mend the source's module if they changed, then `touchline collect`.",
    "price_of_another_match": "The quote fits another match: see in the body (landing.payload) which rows are "
    "exchanged, and with `touchline teams list` whether a name means the wrong team.",
    "price_moved_against_all": "Look whether the bookmaker's closing price is stale; nothing for single ones.",
}


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
    """Quotes that left their pack, named by what they look like; then closing quotes that moved against all.

    Both frames: core.match_odds with competition, season, kickoff_at, home_team and away_team of the match.
    """
    if quotes.is_empty() or reference.is_empty():
        return nothing()
    scored = judged(quotes, reference)
    # In a small pack a wrong price drags the median: only the one furthest away is doubted.
    alone = (pl.col("n_witnesses") > SMALL_PACK) | (pl.col("score") == pl.col("score").max().over(PACK))
    left = _explained(scored.filter((pl.col("score") >= LEFT_PACK) & alone), scored)
    moved = _moved_against(scored, reference, left)
    witnesses = pl.format("the median of {} bookmakers of the match, spread of the last matches of {}",
                          "n_witnesses", "competition")  # fmt: skip
    parts = []
    for detector, suspects, observed, expected in (
        *((name, left.filter(pl.col("detector") == name), "side", "pack_side")
          for name in ("price_left_pack", "price_swapped_sides", "price_of_another_match")),
        ("price_moved_against_all", moved, "move", "pack_move"),
    ):  # fmt: skip
        parts.append(
            findings(
                suspects,
                detector=detector,
                subject_kind="quote",
                subject=pl.format("{}/{}/{}/{}/{}", "match_id", "bookmaker", "market", "line", "stage"),
                what=_sentence(detector, suspects),
                place=MATCH,
                observed=pl.col(observed),
                expected=pl.col(expected),
                score=pl.col("score"),
                compared_with=witnesses,
                what_to_do=WHAT_TO_DO[detector],
                severity="warn",
            )
        )
    return pl.concat(parts)


def _explained(suspects: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """Suspects with the detector's name, and the other match whose prices they are."""
    swapped = (
        ((pl.col("side") + pl.col("pack_side")).abs() / pl.col("stretch") / pl.col("sigma_side") < FITS)
        & (pl.col("z_draw").abs() < FITS)
        & (pl.col("z_margin").abs() < FITS)
    )
    packs = scored.unique(PACK).select(
        "competition", "market", "line", "stage", other_match_id="match_id", other_kickoff_at="kickoff_at",
        other_side="pack_side", other_draw="pack_draw",
        other_match=pl.format("{} - {}", "home_team", "away_team"),
    )  # fmt: skip
    other = (
        suspects.join(packs, on=["competition", "market", "line", "stage"])
        .filter(
            (pl.col("other_match_id") != pl.col("match_id"))
            & ((pl.col("other_kickoff_at") - pl.col("kickoff_at")).abs() < pl.duration(days=DAYS_NEARBY))
            & (pl.col("z_margin").abs() < FITS)
        )
        .with_columns(
            misfit=(
                (((pl.col("side") - pl.col("other_side")) / pl.col("sigma_side")) ** 2
                 + ((pl.col("draw") - pl.col("other_draw")) / pl.col("sigma_draw")) ** 2).sqrt()
                / (1 + pl.col("other_side").abs() / 2)
            )
        )
        .filter(pl.col("misfit") < FITS)
        .sort("misfit")
        .unique([*PACK, "bookmaker"], keep="first", maintain_order=True)
        .select(*PACK, "bookmaker", "other_match")
    )  # fmt: skip
    return suspects.join(other, on=[*PACK, "bookmaker"], how="left", nulls_equal=True).with_columns(
        detector=pl.when(swapped)
        .then(pl.lit("price_swapped_sides"))
        .when(pl.col("other_match").is_not_null())
        .then(pl.lit("price_of_another_match"))
        .otherwise(pl.lit("price_left_pack"))
    )


def _moves(frame: pl.DataFrame) -> pl.DataFrame:
    key = ["match_id", "bookmaker", "market", "line"]
    before = frame.filter(pl.col("stage") == "prematch").select(*key, before="side")
    return (
        frame.filter(pl.col("stage") == "closing")
        .join(before, on=key)
        .with_columns(move=pl.col("side") - pl.col("before"))
        .with_columns(pack_move=pl.col("move").median().over(PACK), n_movers=pl.len().over(PACK))
        .filter(pl.col("n_movers") >= FEWEST_WITNESSES)
        .with_columns(d_move=(pl.col("move") - pl.col("pack_move")) / pl.col("stretch"))
    )


def _moved_against(scored: pl.DataFrame, reference: pl.DataFrame, left: pl.DataFrame) -> pl.DataFrame:
    by = ["competition", "market"]
    spread = _moves(_deviations(reference)).group_by(by).agg(
        n=pl.len(), sigma_move=sigma(pl.col("d_move"), FLOORS["side"])
    )  # fmt: skip
    blamed = left.select("match_id", "bookmaker", "market", "line").unique()
    return (
        _moves(scored)
        .join(spread.filter(pl.col("n") >= FEWEST_REFERENCE).drop("n"), on=by)
        .with_columns(score=(pl.col("d_move") / pl.col("sigma_move")).abs())
        .filter((pl.col("score") >= MOVED_AGAINST) & (pl.col("move") * pl.col("pack_move") <= 0))
        .join(blamed, on=["match_id", "bookmaker", "market", "line"], how="anti")
    )


def _sentence(detector: str, suspects: pl.DataFrame) -> pl.Expr:
    prices = [pl.col(f"price_{name}").round(2) for name in ("home", "draw", "away", "over", "under")]
    quote = pl.concat_str(prices, separator="/", ignore_nulls=True)
    name = pl.format("{} {} {} of {}", "stage", "market", quote, "bookmaker")
    if detector == "price_swapped_sides":
        return pl.format("{}: home and away are exchanged", name)
    if detector == "price_of_another_match":
        return pl.format("{}: these are the prices of {}", name, "other_match")
    if detector == "price_moved_against_all":
        return pl.format("{}: moved by {} in log-odds while all moved by {}", name, pl.col("move").round(2),
                         pl.col("pack_move").round(2))  # fmt: skip
    return pl.format("{}: far from all other bookmakers", name)
