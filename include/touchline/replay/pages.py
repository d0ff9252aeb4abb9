"""The report of a replay: replay.json, and replay.html with its picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure

from touchline.forecasting.report.blocks import (
    Block,
    Heading,
    Paragraph,
    Picture,
    Points,
    Table,
    html_page,
    picture,
)
from touchline.forecasting.report.plots import THOUSAND, WIDTH
from touchline.replay.figures import REFERENCES

HTML: Final = "replay.html"
JSON: Final = "replay.json"
PICTURE: Final = "replay"
COLOURS: Final = {"pre-match market": "#0072b2", "closing market": "#d55e00"}
# What the table of days counts.
COUNTED: Final = ("predictions", "settled", "trainings", "alarms", "incidents", "matches")
# Intervals of the first few matchdays are wider than everything after them.
SHOWN_FROM_MATCHES: Final = 100
EVENTS: Final = {"promotions": ("^", "#009e73"), "alarms": ("D", "#e69f00"), "holds": ("s", "#cc79a7"),
                 "incidents": ("x", "#d55e00")}  # fmt: skip


def write_report(folder: Path, figures: Mapping[str, Any]) -> Path:
    """Write the report of `replay_figures` into a folder, which is made if needed; returns its page."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = picture(PICTURE, _caption(figures), course(figures))
    (folder / JSON).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (folder / f"{PICTURE}.png").write_bytes(shown.png)
    page = folder / HTML
    title = f"Replay of {figures['season']}"
    page.write_text(html_page(title, tuple(_blocks(figures, title, shown))), encoding="utf-8")
    return page


def course(figures: Mapping[str, Any]) -> Figure:
    """The season from left to right: skill so far with its interval, predictions a day, and what happened."""
    figure = Figure(figsize=(WIDTH, 7.2), layout="constrained")
    skill, daily, events = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1.5, 1))
    days = figures["days"]
    for name in REFERENCES:
        until = [(date.fromisoformat(day["on"]), day["saved_until_then"][name]) for day in days]
        known = [(on, each) for on, each in until if each is not None and each["n"] >= SHOWN_FROM_MATCHES]
        on = [day for day, _ in known]
        skill.plot(
            on,
            [THOUSAND * each["value"] for _, each in known],
            color=COLOURS[name],
            label=f"against the {name}",
        )
        skill.fill_between(
            on, [THOUSAND * each["low"] for _, each in known], [THOUSAND * each["high"] for _, each in known],
            color=COLOURS[name], alpha=0.18, linewidth=0,
        )  # fmt: skip
    skill.axhline(0, color="black", linewidth=0.9)
    skill.set_ylabel("log loss saved a match so far\n(thousandths, with 95 % interval)")
    skill.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    on = [date.fromisoformat(day["on"]) for day in days]
    daily.bar(
        on, [day["predictions"] for day in days], color="#0072b2", width=1.0, label="predictions written"
    )
    daily.bar(
        on,
        [-day["settled"] for day in days],
        color="#999999",
        width=1.0,
        label="predictions settled (below 0)",
    )
    daily.set_ylabel("a day")
    daily.legend(frameon=False, fontsize=8.5, ncols=2, loc="upper right")
    for place, (name, (marker, colour)) in enumerate(EVENTS.items()):
        moments = [_when(each) for each in figures[name]]
        events.plot(moments, [place] * len(moments), marker, color=colour, markersize=6, linestyle="")
    events.set_yticks(range(len(EVENTS)), [f"{name} ({len(figures[name])})" for name in EVENTS])
    events.set_ylim(len(EVENTS) - 0.5, -0.5)
    dates = ConciseDateFormatter(events.xaxis.get_major_locator())  # type: ignore[no-untyped-call]
    events.xaxis.set_major_formatter(dates)
    for axes in (skill, daily, events):
        axes.grid(alpha=0.3)
    return figure


def _blocks(figures: Mapping[str, Any], title: str, shown: Picture) -> Iterator[Block]:
    pace = figures["pace"]
    yield Heading(title, 1)
    yield Paragraph(
        f"{', '.join(figures['competitions'])} from {figures['from']} to {figures['to']}, day by day with a virtual "
        f"clock, through the steps that the DAGs run. Trained every {figures['train_every_days']} days (production: "
        f"every night) on this season and the {figures['history_seasons']} before it."
    )
    yield Heading("In short")
    yield Points(tuple(in_short(figures)))
    yield shown
    yield Heading("What happened")
    yield Table(
        f"Trainings ({len(figures['trainings'])})", ("as of", "version", "state", "matches", "log loss", "reason"),
        tuple(
            (_minute(each), each["version"], each["state"], f"{each['n_matches']:,}", _number(each["log_loss"], 5),
             each["reason"])
            for each in figures["trainings"]
        ), is_folded=True,
    )  # fmt: skip
    yield Table(
        f"Drift alarms ({len(figures['alarms'])})", ("as of", "metric", "of", "value", "threshold"),
        tuple(
            (_minute(each), each["metric"], each["subject"], f"{each['value']:.3g}", f"{each['threshold']:.3g}")
            for each in figures["alarms"]
        ),
    )  # fmt: skip
    yield Table(
        f"Holds ({len(figures['holds'])})", ("as of", "competition", "gate", "until", "reason"),
        tuple(
            (_minute(each), each["competition"], each["gate"], (each["released_as_of"] or "")[:16], each["reason"])
            for each in figures["holds"]
        ),
    )  # fmt: skip
    yield Table(
        f"Incidents ({len(figures['incidents'])})", ("as of", "step", "error", "message"),
        tuple((_minute(each), each["step"], each["error"], each["message"]) for each in figures["incidents"]),
    )  # fmt: skip
    yield Heading("Day by day")
    yield Paragraph(
        "Log loss saved a match against the market before kick-off, in thousandths; above zero is better."
    )
    yield Table(
        f"{len(figures['days'])} days",
        ("day", *COUNTED, "saved", "saved so far", "seconds"),
        tuple(_day(each) for each in figures["days"]), is_folded=True,
    )  # fmt: skip
    yield Heading("Where the time went")
    yield Paragraph(
        f"{pace['days']} days in {pace['seconds']:.0f} s, after the first moment, which collected, built and learned "
        f"the past in {pace['seconds_of_the_first']:.0f} s."
    )
    yield Table(
        "Seconds by step", ("step", "seconds"),
        tuple((step, f"{seconds:.1f}") for step, seconds in pace["seconds_by_step"].items()), is_folded=True,
    )  # fmt: skip


def in_short(figures: Mapping[str, Any]) -> Iterator[str]:
    """The answers, a sentence each."""
    yield (
        f"{figures['predictions']:,} predictions of {figures['matches_predicted']:,} matches, of which "
        f"{figures['matches_settled']:,} are settled."
    )
    for name, saved in figures["skill"].items():
        if saved is not None:
            yield (
                f"Log loss saved a match against the {name}, in thousandths: {_interval(saved)} on {saved['n']:,} "
                "matches."
            )
    counted = [f"{name} {len(figures[name])}" for name in ("trainings", *EVENTS)]
    yield f"{', '.join(counted).capitalize()}."
    if figures["injected"]:
        yield f"Injected: {', '.join(figures['injected'])}."
    pace = figures["pace"]["days_a_minute"]
    if pace is not None:
        yield f"{pace:.1f} days a minute."


def _caption(figures: Mapping[str, Any]) -> str:
    return (
        f"{figures['season']}, {', '.join(figures['competitions'])}: the champion's log loss against the market's on "
        f"all matches so far (from {SHOWN_FROM_MATCHES} on), predictions a day, and what happened"
    )


def _day(day: Mapping[str, Any]) -> tuple[str, ...]:
    name = next(iter(REFERENCES))
    saved, until = day["saved"][name], day["saved_until_then"][name]
    return (
        day["on"], *(str(day[each]) for each in COUNTED),
        "" if saved is None else f"{THOUSAND * saved:+.1f}", "" if until is None else _interval(until),
        f"{day['seconds']:.1f}",
    )  # fmt: skip


def _interval(saved: Mapping[str, Any]) -> str:
    text = f"{THOUSAND * saved['value']:+.2f}"
    return (
        text
        if saved["low"] is None
        else f"{text} [{THOUSAND * saved['low']:+.2f}, {THOUSAND * saved['high']:+.2f}]"
    )


def _when(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event.get("as_of") or event["held_as_of"])


def _minute(event: Mapping[str, Any]) -> str:
    return f"{_when(event):%Y-%m-%d %H:%M}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
