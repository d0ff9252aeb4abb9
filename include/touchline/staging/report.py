"""The report of a validation: which promises were kept, with figures; as HTML, Markdown and JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
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
    markdown_page,
    picture,
)
from touchline.forecasting.report.plots import WIDTH
from touchline.staging.course import PHASES, RATES, Course, Phase
from touchline.staging.load import Answers, Readers, figures
from touchline.staging.promises import PROMISES, Verdict

NAME: Final = "staging-validation"
TITLE: Final = "Validation of staging"
PICTURES: Final = "images"
LONGEST_NOTE: Final = 300
FRAMES: Final = dict.fromkeys(map(ord, "╭─╮│╰╯"))
COLOURS: Final = {"steady": "#e8f1f8", "load": "#fdf1dc", "faults": "#f8e4e8"}
MARKS: Final = {"kill": "x", "outage": "s", "restore": "D", "rollback": "^"}


def in_short(verdicts: Sequence[Verdict]) -> list[str]:
    """A line for each promise, kept or not, and one for each check that broke it."""
    lines = []
    for number, promise in PROMISES.items():
        of_it = [each for each in verdicts if each.promise == number]
        judged = [each for each in of_it if each.is_kept is not None]
        broken = [each for each in judged if not each.is_kept]
        if broken:
            lines.append(f"BROKEN: {promise} ({len(broken)} of {len(judged)} checks)")
            lines += [f"broken: {each.what}: {_told(each)}" for each in broken]
        elif judged:
            lines.append(f"kept: {promise} ({len(judged)} checks)")
        else:
            lines.append(f"not judged: {promise}" + "".join(f": {each.note}" for each in of_it[:1]))
    return lines


def report_json(course: Course, readers: Readers, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Everything as plain values. Times are UTC of the simulated clock, seconds those of the wall clock."""
    return {
        "begins_at": course.begins_at.isoformat(),
        "ends_at": course.ends_at.isoformat(),
        "wall_seconds": round(course.seconds, 1),
        "is_kept": is_kept(verdicts),
        "verdicts": [{**asdict(each), "verdict": each.word} for each in verdicts],
        "dags": {dag_id: dict(states) for dag_id, states in sorted(course.dag_states.items())},
        "api": figures(readers.answers),
        "disturbances": [
            {"kind": each.kind, "what": each.what, "seconds": each.seconds, "note": each.note}
            for each in course.disturbances
        ],
        "moments": [
            {
                "at": each.at.isoformat(), "phase": each.phase, "due": each.due, "n_runs": each.n_runs,
                "failed": list(each.failed), "seconds": round(each.seconds, 1),
            }
            for each in course.moments
        ],
    }  # fmt: skip


def is_kept(verdicts: Sequence[Verdict]) -> bool:
    """Whether nothing that was judged was broken."""
    return all(each.is_kept is not False for each in verdicts)


def write_report(folder: Path, course: Course, readers: Readers, verdicts: Sequence[Verdict]) -> Path:
    """Write the report into a folder, which is made if needed; returns its page."""
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    shown = picture(NAME, _caption(), drawn(course, readers))
    blocks = tuple(_blocks(course, readers, verdicts, shown))
    (folder / PICTURES / f"{NAME}.png").write_bytes(shown.png)
    (folder / f"{NAME}.md").write_text(markdown_page(blocks, PICTURES), encoding="utf-8")
    told = report_json(course, readers, verdicts)
    (folder / f"{NAME}.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    page = folder / f"{NAME}.html"
    page.write_text(html_page(TITLE, blocks), encoding="utf-8")
    return page


def drawn(course: Course, readers: Readers) -> Figure:
    """The hours from left to right: the API's answers, the runs, and what was done to the installation."""
    figure = Figure(figsize=(WIDTH, 6.4), layout="constrained")
    answers, runs, done = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1.5, 1.2))
    at = [each.at for each in course.moments]
    p95, failures = zip(
        *(_answers_during(each.began_at, each.seconds, readers) for each in course.moments), strict=True
    )
    answers.semilogy(at, p95, color="#0072b2", linewidth=1.2, label="95th percentile of the answers")
    failed = [(moment, n) for moment, n in zip(at, failures, strict=True) if n]
    if failed:
        answers.scatter(
            [moment for moment, _ in failed], [0.06] * len(failed), marker="x", color="#d55e00",
            transform=answers.get_xaxis_transform(), label="requests failed",
        )  # fmt: skip
    answers.set_ylabel("milliseconds")
    answers.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    runs.vlines(at, 0, [each.n_runs for each in course.moments], color="#009e73", linewidth=2)
    runs.set_ylabel("DAG runs")
    for place, kind in enumerate(MARKS):
        moments = [_moment_of(course, each.began_at) for each in course.disturbances if each.kind == kind]
        done.plot(moments, [place] * len(moments), MARKS[kind], color="#333333", markersize=5, linestyle="")
    done.set_yticks(range(len(MARKS)), list(MARKS))
    done.set_ylim(len(MARKS) - 0.5, -0.5)
    done.xaxis.set_major_formatter(ConciseDateFormatter(done.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
    third = (course.ends_at - course.begins_at) / 3
    for place, phase in enumerate(PHASES):
        begins_at = course.begins_at + place * third
        for axes in (answers, runs, done):
            axes.axvspan(begins_at, begins_at + third, color=COLOURS[phase], zorder=0)
            axes.grid(alpha=0.3)
        runs.annotate(
            phase, (begins_at + third / 2, 0.88), xycoords=("data", "axes fraction"), ha="center", fontsize=9
        )
    return figure


def _answers_during(began: float, seconds: float, readers: Readers) -> tuple[float, int]:
    found, failed = [], 0
    for each in readers.answers.values():
        taken = np.frombuffer(each.at) if each.at else np.empty(0)
        within = (taken >= began) & (taken <= began + seconds)
        found += list(np.frombuffer(each.milliseconds)[within]) if each.at else []
        failed += sum(began <= moment <= began + seconds for moment in each.failed_at)
    return (float(np.percentile(found, 95)) if found else np.nan), failed


def _moment_of(course: Course, began_at: float) -> Any:
    """The instant of the simulated clock during which something began."""
    return max((each.at for each in course.moments if each.began_at <= began_at), default=course.begins_at)


def _caption() -> str:
    return (
        "Hours of the simulated clock: answers of the API to readers at a constant rate, runs of the DAGs at each "
        "instant at which some were due, and what was done to the installation in the third phase."
    )


def _blocks(course: Course, readers: Readers, verdicts: Sequence[Verdict], shown: Picture) -> Iterator[Block]:
    hours = (course.ends_at - course.begins_at).total_seconds() / 3600
    n_due = sum(len(each.due) for each in course.moments)
    yield Heading(TITLE, 1)
    yield Paragraph(
        f"{hours:g} hours of the simulated clock, {course.begins_at:%a %d %B %Y %H:%M} to "
        f"{course.ends_at:%a %d %B %Y %H:%M} UTC, in {course.seconds / 60:.0f} minutes: {len(course.moments)} instants "
        f"at which {n_due} DAG runs were due by their timetables, with all that followed from them "
        f"({sum(each.n_runs for each in course.moments)} runs)."
    )
    yield Heading("Promises")
    yield Points(tuple(in_short(verdicts)))
    yield shown
    yield Heading("What was checked")
    yield Table(
        "Checks", ("promise", "what", "verdict", "figures"),
        tuple((PROMISES[each.promise], each.what, each.word, _told(each)) for each in verdicts),
    )  # fmt: skip
    yield Heading("The phases")
    yield Table(
        "Readers of the API",
        ("phase", "asked a second", "requests", "failed", "median ms", "p95 ms", "p99 ms"),
        tuple(_answers_row(phase, readers.answers[phase]) for phase in PHASES if phase in readers.answers),
    )
    yield Table(
        "Runs that were due", ("DAG", "due", "success", "degraded", "failed"),
        tuple(
            (dag_id, str(states.total()), *(str(states[state]) for state in ("success", "degraded", "failed")))
            for dag_id, states in sorted(course.dag_states.items())
        ),
    )  # fmt: skip
    yield Table(
        "What was done to it", ("kind", "what", "seconds until all was well", "note"),
        tuple(
            (each.kind, each.what, "never" if each.seconds is None else f"{each.seconds:.1f}", _plain(each.note))
            for each in course.disturbances
        ),
    )  # fmt: skip
    seconds = [each.seconds for each in course.moments]
    yield Paragraph(
        f"An instant took {statistics.median(seconds):.1f} s in the median and {max(seconds):.0f} s at most, until all "
        "that followed from it was done."
    )


def _answers_row(phase: Phase, answers: Answers) -> tuple[str, ...]:
    percentiles = (answers.percentile(each) for each in (50, 95, 99))
    return (
        phase, f"{RATES[phase]:g}", f"{answers.n:,}", str(len(answers.failed_at)),
        *("" if each is None else f"{each:.1f}" for each in percentiles),
    )  # fmt: skip


def _told(verdict: Verdict) -> str:
    told = ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"
        for name, value in verdict.figures.items()
    )
    return "; ".join(part for part in (told, _plain(verdict.note)) if part)


def _plain(note: str) -> str:
    """On one line: what a command said may have several, and a frame."""
    return " ".join(note.translate(FRAMES).split())[:LONGEST_NOTE]
