"""The section about money: every forecast bet through the same matches, and what that proves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from touchline.forecasting.report import diagrams
from touchline.forecasting.report.bets import Staking
from touchline.forecasting.report.blocks import Block, Heading, Paragraph, Points, Table, picture
from touchline.forecasting.report.frame import Compared
from touchline.forecasting.report.intervals import Estimate
from touchline.forecasting.report.money import Money, all_money, by_threshold, percent_interval, truth
from touchline.forecasting.report.score_sections import models

CAVEATS = (
    "Every bet is on a match that was played after everything its forecast had learned from; a frame that does "
    "not prove this is refused.",
    "The best price is the highest of all bookmakers of the source when it took them. Nobody has an account with "
    "each of them, exchanges among them take commission, winners are limited, and prices move while one looks. "
    "The best price shows the most that could have been had, the consensus price what an average bookmaker paid.",
    "Any stake is taken to be accepted. Kelly bankrolls that grow large would not have been.",
    "Features are as of just before kick-off, pre-match prices up to days older: a forecast may know a result "
    "that came in between.",
    "The closing line is the sharper judge: it needs far fewer bets to show an edge than profit does. Bets that "
    "made money without beating it were lucky, more likely than not.",
    "Each row is one strategy out of many in this report. One in twenty intervals misses the truth by chance.",
)


def money(compared: Compared, predictions: pd.DataFrame, seed: int) -> Iterator[Block]:
    """Flat and Kelly stakes at the best and consensus prices of each forecast's time.

    Raises ForecastInSample for forecasts that nothing proves to be out of sample.
    """
    staking = Staking()
    found = all_money(predictions, seed, staking)
    yield Heading("Money")
    if not any(each.n_bets for each in found):
        yield Paragraph(
            "No forecast found a price worth taking, or the frame has no prices: there is nothing to tell."
        )
        return
    yield Paragraph(_rules(staking))
    close_up = models(compared)
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
    for name in reversed(models(compared)):
        yield from (truth(each) for each in found if each.forecast == name and each.plan == "flat")


def _rules(staking: Staking) -> str:
    return (
        f"A bet is placed where probability times price is above {1 + staking.threshold:.2f}, on the best outcome of "
        f"a match only. Flat stakes are one unit. Kelly stakes are {staking.kelly_share:g} of the full Kelly share of "
        f"the bankroll ({staking.bankroll:g} units on the first day), at most {100 * staking.largest_stake:g} % on a "
        f"bet and {100 * staking.largest_day:g} % on a matchday, whose bets are all placed before the first is "
        f"decided. A price above {staking.largest_lead:g} times the consensus is taken for a mistake that would be "
        "voided. Forecasts made from closing prices bet at closing prices, all others at pre-match prices. "
        "Intervals are 95 %, from whole matchdays drawn with replacement."
    )


def _flat_table(found: Sequence[Money]) -> Table:
    return Table(
        "Flat stakes",
        ("forecast", "prices", "bets", "profit (units)", "yield", "95 % interval", "overround", "closing-line value",
         "95 % interval", "beat the close", "worth at the close", "drawdown (units)", "losing run"),
        tuple(
            (
                *_first_cells(each), f"{each.profit:+,.1f}", *_shares(each.returned), *_closing_cells(each),
                f"{each.drawdown:,.0f}", str(each.losing_run),
            )
            for each in found
        ),
    )  # fmt: skip


def _kelly_table(found: Sequence[Money]) -> Table:
    return Table(
        "Kelly stakes",
        ("forecast", "prices", "bets", "turnover", "profit (units)", "yield", "95 % interval", "final bankroll",
         "95 % interval", "overround", "closing-line value", "95 % interval", "beat the close", "worth at the close",
         "drawdown (of the peak)", "losing run"),
        tuple(
            (
                *_first_cells(each), _units(each.turnover), _units(each.profit, sign=True), *_shares(each.returned),
                *(("", "") if each.final is None else (_units(each.final.value),
                  f"{_units(each.final.low)} to {_units(each.final.high)}")),
                *_closing_cells(each), f"{100 * each.drawdown:.0f} %", str(each.losing_run),
            )
            for each in found
        ),
        is_folded=True,
    )  # fmt: skip


def _threshold_table(compared: Compared, predictions: pd.DataFrame, seed: int) -> Table:
    rows = [
        (name, f"{100 * threshold:g} %", f"{each.n_bets:,}", f"{each.profit:+,.1f}", *_shares(each.returned),
         *_closing_cells(each)[1:])
        for name in reversed(models(compared))
        for threshold, each in by_threshold(predictions, name, seed)
    ]  # fmt: skip
    return Table(
        "Flat stakes at the best price for other thresholds, so that the one above is not the one that came out best",
        ("forecast", "threshold", "bets", "profit (units)", "yield", "95 % interval", "closing-line value",
         "95 % interval", "beat the close", "worth at the close"),
        tuple(rows), is_folded=True,
    )  # fmt: skip


def _first_cells(found: Money) -> tuple[str, str, str]:
    return found.forecast, found.prices.label.removesuffix(" price"), f"{found.n_bets:,}"


def _closing_cells(found: Money) -> tuple[str, ...]:
    """Overround, closing-line value with interval, share that beat the close, and worth at the close."""
    return (
        _share(found.overround), *_shares(found.closing_value),
        _share(found.beat_close, sign=False), _share(found.closing_return),
    )  # fmt: skip


def _shares(estimate: Estimate | None) -> tuple[str, str]:
    return ("", "") if estimate is None else (_share(estimate.value), percent_interval(estimate))


def _share(value: float, *, sign: bool = True) -> str:
    return "" if np.isnan(value) else f"{100 * value:{'+' if sign else ''}.1f} %"


def _units(value: float, *, sign: bool = False) -> str:
    return f"{value:{'+' if sign else ''},.1f}"
