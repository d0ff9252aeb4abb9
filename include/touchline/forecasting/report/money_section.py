"""The section about money: bets by every forecast on the same matches, and what they prove."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from touchline.forecasting.report import diagrams
from touchline.forecasting.report.bets import Staking
from touchline.forecasting.report.blocks import Block, Heading, Paragraph, Points, Table, picture
from touchline.forecasting.report.frame import Compared
from touchline.forecasting.report.money import Money, by_threshold, truth
from touchline.forecasting.report.wording import (
    percent,
    percent_with_interval,
    signed_percent,
    units,
    units_with_interval,
)

CAVEATS = (
    "Every bet is on a match that was played after everything its forecast had learned from; a frame that does "
    "not prove this is refused. So the models are out of sample. The choice of models and settings may not be, if "
    "people looked at these seasons when they chose.",
    "The best price is the highest of all the source's bookmakers when it collected them. Nobody has an account with "
    "each of them, exchanges take commission, winners are limited, and prices move quickly. The best price is an "
    "upper limit; the consensus price is what an average bookmaker paid.",
    "Every stake is assumed to be accepted. Bookmakers would not accept the stakes of a large Kelly bankroll.",
    "Features are as of just before kick-off, but pre-match prices can be days older, so a forecast may know a result "
    "that came in between.",
    "The closing line is the sharper judge: it needs far fewer bets to show an edge than profit does. Bets that "
    "made money without beating it were probably lucky. For bets at closing prices it only says by how much the best "
    "price is above the others at the same moment.",
    "Each row is one strategy out of many in this report. One in twenty intervals misses the truth by chance.",
)


def money(
    compared: Compared, predictions: pd.DataFrame, found: Sequence[Money], seed: int
) -> Iterator[Block]:
    """Flat and Kelly stakes at the best and consensus prices of each forecast's time (`found`, of `all_money`)."""
    yield Heading("Money")
    if not any(each.n_bets for each in found):
        yield Paragraph(
            "No forecast found a price worth taking, or the frame has no prices: there is nothing to report."
        )
        return
    yield Paragraph(_rules(Staking()))
    close_up = compared.models()
    yield Points(tuple(truths(compared, found)))
    yield picture(
        "bankrolls", "Running profit and bankroll at the best price (solid) and the consensus price (dotted).",
        diagrams.bankrolls([each for each in found if each.n_bets and each.forecast in close_up], compared.names),
    )  # fmt: skip
    yield _flat_table([each for each in found if each.plan == "flat"])
    yield _kelly_table([each for each in found if each.plan == "kelly"])
    yield _threshold_table(compared, predictions, seed)
    yield Heading("What to keep in mind", 3)
    yield Points(CAVEATS)


def truths(compared: Compared, found: Sequence[Money]) -> Iterator[str]:
    """One sentence for each of the forecasts worth a close look, flat stakes at either price, the best first."""
    for name in reversed(compared.models()):
        yield from (truth(each) for each in found if each.forecast == name and each.plan == "flat")


def _rules(staking: Staking) -> str:
    return (
        f"A bet is placed where probability times price is above {1 + staking.threshold:.2f}, only on the best outcome "
        f"of a match. Flat stakes are one unit. Kelly stakes are {staking.kelly_share:g} of the full Kelly share of "
        f"the bankroll ({staking.bankroll:g} units on the first day), at most {100 * staking.largest_stake:g} % on a "
        f"bet and {100 * staking.largest_day:g} % on a matchday, whose bets are all placed before the first is "
        f"decided. A price above {staking.largest_lead:g} times the consensus counts as a mistake that would be "
        "voided. Forecasts made from closing prices bet at closing prices, all others at pre-match prices. "
        "Intervals are 95 %, from whole matchdays drawn with replacement."
    )


def _flat_table(found: Sequence[Money]) -> Table:
    return Table(
        "Flat stakes; [95 % intervals]",
        ("forecast", "prices", "bets", "profit (units)", "yield", "overround", "closing-line value", "beat the close",
         "worth at the close", "drawdown (units)", "losing run"),
        tuple(
            (
                *_first_cells(each), f"{each.profit:+,.1f}", percent_with_interval(each.returned),
                signed_percent(each.overround), *_closing_cells(each), f"{each.drawdown:,.0f}", str(each.losing_run),
            )
            for each in found
        ),
    )  # fmt: skip


def _kelly_table(found: Sequence[Money]) -> Table:
    return Table(
        "Kelly stakes on the same bets, so at the same overround and closing-line value; [95 % intervals]",
        ("forecast", "prices", "bets", "turnover (units)", "profit (units)", "yield", "final bankroll",
         "drawdown (of the peak)", "losing run"),
        tuple(
            (
                *_first_cells(each), units(each.turnover), f"{each.profit:+,.1f}", percent_with_interval(each.returned),
                units_with_interval(each.final), percent(each.drawdown, 0), str(each.losing_run),
            )
            for each in found
        ),
    )  # fmt: skip


def _threshold_table(compared: Compared, predictions: pd.DataFrame, seed: int) -> Table:
    rows = [
        (
            name, percent(threshold, 0), f"{each.n_bets:,}", f"{each.profit:+,.1f}",
            percent_with_interval(each.returned), *_closing_cells(each),
        )
        for name in reversed(compared.models())
        for threshold, each in by_threshold(predictions, name, seed)
    ]  # fmt: skip
    return Table(
        "Flat stakes at the best price for other thresholds, to show that the one above was not picked for its result",
        ("forecast", "threshold", "bets", "profit (units)", "yield", "closing-line value", "beat the close",
         "worth at the close"),
        tuple(rows), is_folded=True,
    )  # fmt: skip


def _first_cells(found: Money) -> tuple[str, str, str]:
    return found.forecast, found.prices.label.removesuffix(" price"), f"{found.n_bets:,}"


def _closing_cells(found: Money) -> tuple[str, str, str]:
    """Closing-line value, share of bets that beat the close, and what they were worth at the close."""
    return (
        percent_with_interval(found.closing_value),
        percent(found.beat_close, 0),
        signed_percent(found.closing_return),
    )
