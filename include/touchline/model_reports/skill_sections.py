"""Sections about skill and calibration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from matplotlib.figure import Figure as Drawing
from scipy.stats import binomtest

from touchline.forecasting.metrics import calibration_slope, expected_calibration_error
from touchline.forecasting.report import diagrams
from touchline.forecasting.report.blocks import Block, Heading, Paragraph, Table, picture
from touchline.forecasting.report.calibration import FEWEST_IN_BIN, calibration_cells, pooled_cells
from touchline.forecasting.report.frame import compare
from touchline.forecasting.report.intervals import Estimate
from touchline.forecasting.report.plots import WIDTH
from touchline.forecasting.report.weakness_sections import cells_table
from touchline.forecasting.report.wording import percent
from touchline.forecasting.specs import MARKET_CLOSING, MARKET_PREMATCH
from touchline.model_reports.evidence import CHAMPION, RECENT_DAYS, REFERENCES, Evidence, Figure, Mask
from touchline.model_reports.wording import minute, score, share, signed, slope
from touchline.settings import Settings

PERIODS: Final = {f"last {RECENT_DAYS} days": RECENT_DAYS, "last 365 days": 365, "everything": None}
# A month with fewer matches says nothing, and would stretch a picture.
FEWEST_OF_MONTH: Final = 10
COLOURS: Final = {MARKET_CLOSING: "#d55e00", MARKET_PREMATCH: "#0072b2"}


def in_short(evidence: Evidence) -> Iterator[str]:
    """The answers first, a sentence each."""
    for period, where in _periods(evidence).items():
        own = evidence.mean(evidence.scores[CHAMPION]["log_loss"], where)
        if own is None:
            yield f"{period.capitalize()}: nothing was settled."
            continue
        behind = evidence.mean(evidence.behind(MARKET_CLOSING), where)
        against = "no closing prices" if behind is None else (
            f"{_verdict(behind)} the closing market ({signed(behind)} nats a match on {behind.n:,})"
        )  # fmt: skip
        yield f"{period.capitalize()}: {own.n:,} matches, log loss {own.mean.value:.4f}, {against}."
    alarmed = sum(each["is_last"] and each["is_drift"] for each in evidence.measured)
    yield (
        f"Drift: {alarmed} measure{'' if alarmed == 1 else 's'} in alarm."
        if evidence.measured
        else "Drift has not been measured yet."
    )
    if evidence.reigns:
        reign = evidence.reigns[0]
        yield (
            f"Champion: version {reign['model_version']} ({reign['forecast']}), which has predicted since "
            f"{minute(reign['first_predicted_at'])}."
        )


def skill(evidence: Evidence) -> Iterator[Block]:
    """Scores by period, competition and month, and against both markets on the same matches."""
    yield Heading("Skill")
    yield Paragraph(
        "Every settled prediction of a champion counts, its last word before kick-off; so on the board. Log loss in "
        "nats and RPS: lower is better. Behind a market: the champion's score less the market's on the same n matches, "
        "so that log loss and RPS below zero, and accuracy above zero, are better than the market. In brackets: 95 % "
        "intervals, from whole matchdays drawn with replacement."
    )
    yield Table(
        "Scores of the champion",
        ("period", "n", "log loss", "RPS", "accuracy"),
        tuple((name, *_own(evidence, where)) for name, where in _periods(evidence).items()),
    )
    yield Table(
        "Against the markets",
        ("period", "market", "n", "log loss behind", "RPS behind", "accuracy ahead"),
        tuple(
            (name, words, *_against(evidence, reference, where))
            for name, where in _periods(evidence).items()
            for reference, words in REFERENCES.items()
        ),
    )
    months = _groups(evidence, "month")
    long_enough = {name: where for name, where in months.items() if where.sum() >= FEWEST_OF_MONTH}
    if len(long_enough) > 1:
        yield picture(
            "skill_by_month",
            f"The champion's log loss less the markets' by month of the kick-off, from {FEWEST_OF_MONTH} matches on; "
            "below zero is better.",
            _by_month(evidence, long_enough),
        )
    for column, groups in (("competition", _groups(evidence, "competition")), ("month", months)):
        against = (f"log loss behind the {each}" for each in REFERENCES.values())
        yield Table(
            f"By {column}",
            (column, "n", "log loss", "RPS", "accuracy", *against),
            tuple(
                (name, *_own(evidence, where), *(_behind(evidence, reference, where) for reference in REFERENCES))
                for name, where in groups.items()
            ),
            is_folded=column == "month",
        )  # fmt: skip


def calibration(evidence: Evidence, settings: Settings) -> Iterator[Block]:
    """Reliability, slope, and how often confident picks came in."""
    yield Heading("Calibration")
    yield Paragraph(
        "Of the outcomes forecast at 30 %, 30 % should happen. A slope below 1 is overconfident, above 1 timid; ECE is "
        "the expected calibration error. Grey bands hold 95 of 100 shares if every forecast is right."
    )
    known = {name: np.isfinite(evidence.probabilities(name)).all(axis=1) for name in (CHAMPION, *REFERENCES)}
    yield Table(
        "Slope",
        ("forecast", "n", "slope", "ECE"),
        tuple(
            (
                REFERENCES.get(name, name), f"{rows.sum():,}",
                slope(calibration_slope(evidence.probabilities(name)[rows], evidence.outcomes[rows])),
                f"{expected_calibration_error(evidence.probabilities(name)[rows], evidence.outcomes[rows]):.4f}",
            )
            for name, rows in known.items()
            if rows.any()
        ),
    )  # fmt: skip
    yield from _reliability(evidence)
    if calibration_cells(evidence.probabilities(CHAMPION), evidence.outcomes):
        yield cells_table(CHAMPION, evidence.probabilities(CHAMPION), evidence.outcomes)
    yield from _confident_picks(evidence, settings)


def _reliability(evidence: Evidence) -> Iterator[Block]:
    """The diagrams; nothing while there are too few matches for a point in each."""
    if len(evidence.settled) < FEWEST_IN_BIN:
        return
    compared = compare(evidence.settled, evidence.seed, needed=list(REFERENCES))
    if all(pooled_cells(compared.probabilities(name), compared.outcomes) for name in compared.names):
        yield picture(
            "reliability",
            f"Reliability on the {len(compared.matches):,} matches that all of them cover.",
            diagrams.reliability_diagrams(compared),
        )


def _periods(evidence: Evidence) -> dict[str, Mask]:
    if evidence.settled.empty:
        return {}
    return {
        name: evidence.everything if days is None else evidence.since(days) for name, days in PERIODS.items()
    }


def _groups(evidence: Evidence, column: str) -> dict[str, Mask]:
    values = evidence.settled[column].to_numpy()
    return {str(value): np.asarray(values == value, dtype=np.bool_) for value in sorted(set(values))}


def _own(evidence: Evidence, where: Mask) -> tuple[str, ...]:
    found = [evidence.mean(values, where) for values in evidence.scores[CHAMPION].values()]
    if any(each is None for each in found):
        return ("0", "", "", "")
    log_loss, rps, accuracy = (each for each in found if each is not None)
    return (f"{log_loss.n:,}", score(log_loss), score(rps), share(accuracy))


def _against(evidence: Evidence, reference: str, where: Mask) -> tuple[str, ...]:
    found = [evidence.mean(evidence.behind(reference, each), where) for each in evidence.scores[CHAMPION]]
    if any(each is None for each in found):
        return ("0", "", "", "")
    log_loss, rps, accuracy = (each for each in found if each is not None)
    return (f"{log_loss.n:,}", signed(log_loss), signed(rps), share(accuracy, "+"))


def _behind(evidence: Evidence, reference: str, where: Mask) -> str:
    found = evidence.mean(evidence.behind(reference), where)
    return "" if found is None else f"{signed(found)} (n {found.n:,})"


def _confident_picks(evidence: Evidence, settings: Settings) -> Iterator[Block]:
    sure = settings.confident.pick
    yield Paragraph(
        f"Confident picks have a top probability of at least {percent(sure, 0)}. Said: how many should come in by "
        f"their own probabilities; {percent(settings.confident.accuracy, 0)} is the floor that drift is measured "
        "against. A market's picks are its own."
    )  # fmt: skip
    yield Table(
        "Confident picks",
        ("period", "forecast", "n", "said", "came in"),
        tuple(
            (period, REFERENCES.get(name, name), *_picks(evidence, name, where, sure))
            for period, where in _periods(evidence).items()
            for name in (CHAMPION, *REFERENCES)
        ),
    )


def _picks(evidence: Evidence, name: str, where: Mask, sure: float) -> tuple[str, ...]:
    """How many, how many should come in, and how many did with Wilson's (1927) interval: there may be few."""
    top = np.nan_to_num(evidence.probabilities(name)).max(axis=1)
    picked = where & (top >= sure)
    n, came_in = int(picked.sum()), int(evidence.scores[name]["is_correct"][picked].sum())
    if n == 0:
        return ("0", "", "")
    interval = binomtest(came_in, n).proportion_ci(method="wilson")
    found = Figure(n, Estimate(came_in / n, interval.low, interval.high), has_interval=True)
    return (f"{n:,}", percent(float(top[picked].mean())), share(found))


def _by_month(evidence: Evidence, months: Mapping[str, Mask]) -> Drawing:
    figure = Drawing(figsize=(WIDTH, 3.4), layout="constrained")
    axes = figure.subplots()
    for number, (reference, words) in enumerate(REFERENCES.items()):
        found = [
            (place, evidence.mean(evidence.behind(reference), where))
            for place, where in enumerate(months.values())
        ]
        known = [(place, each.mean) for place, each in found if each is not None]
        if not known:
            continue
        value = np.array([each.value for _, each in known])
        # Of few matchdays, a mean may lie outside of its interval.
        below, above = (
            [max(0.0, reach) for reach in reaches]
            for reaches in zip(
                *((each.value - each.low, each.high - each.value) for _, each in known), strict=True
            )
        )
        axes.errorbar(
            np.array([place for place, _ in known]) + 0.16 * (number - 0.5), value, [below, above], fmt="os"[number],
            color=COLOURS[reference], markersize=4.5, linewidth=1.4, label=f"behind the {words}",
        )  # fmt: skip
    axes.axhline(0, color="black", linewidth=0.9)
    axes.set_xticks(range(len(months)), months, rotation=45 if len(months) > 9 else 0)
    axes.set_ylabel("log loss behind (nats)")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _verdict(behind: Figure) -> str:
    if not behind.has_interval or not behind.mean.excludes_zero:
        return "not distinguishable from"
    return "behind" if behind.mean.value > 0 else "ahead of"
