"""Sections about what happened: drift, champions, and the worst misses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import OUTCOMES
from touchline.forecasting.report.blocks import Block, Heading, Link, Paragraph, Table
from touchline.forecasting.report.wording import percent
from touchline.model_reports.evidence import (
    ALARMS_SHOWN,
    CHAMPION,
    N_MISSES,
    RECENT_DAYS,
    REFERENCES,
    Evidence,
    Row,
)
from touchline.model_reports.wording import minute
from touchline.registry.models import TrainedVersion

# Features are compared one by one; these come nearest to drift.
N_MEASURES: Final = 12
# A good night makes a champion.
N_REIGNS: Final = 20


def drift(evidence: Evidence) -> Iterator[Block]:
    """What was measured last, the alarms, and what followed them."""
    yield Heading("Drift")
    last = [each for each in evidence.measured if each["is_last"]]
    if not last:
        yield Paragraph(
            "Nothing has been measured: the step measure_drift has not run, or there were too few matches."
        )
        return
    nearest = sorted(last, key=lambda each: each["value"] / each["threshold"], reverse=True)[:N_MEASURES]
    yield Paragraph(
        f"{len(last)} measures, the last of them as of {minute(last[-1]['as_of'])}. A measure is in alarm when its "
        "evidence reaches what is needed; docs/drift.md says what each is."
    )
    yield Table(
        "Measured last, those nearest to an alarm first",
        ("metric", "of", "evidence", "needed", "n", "as of", "in alarm"),
        tuple(
            (
                each["metric"], each["subject"], f"{each['value']:.3g}", f"{each['threshold']:.3g}",
                f"{each['n_matches']:,}", minute(each["as_of"]), "yes" if each["is_drift"] else "no",
            )
            for each in nearest
        ),
    )  # fmt: skip
    alarms = _alarms(evidence)
    if not alarms:
        yield Paragraph(f"No alarm in the last {ALARMS_SHOWN.days} days.")
        return
    yield Table(
        f"Alarms of the last {ALARMS_SHOWN.days} days",
        ("metric", "of", "first", "last", "times", "what followed"),
        tuple(alarms),
    )


def champions(evidence: Evidence) -> Iterator[Block]:
    """Who was champion when, and why."""
    yield Heading("Champions")
    if not evidence.reigns:
        yield Paragraph("No champion has predicted yet.")
        return
    shown = evidence.reigns[:N_REIGNS]
    yield Table(
        f"From the first to the last prediction that a version made as champion; the last {len(shown)} of "
        f"{len(evidence.reigns)}",
        ("version", "forecast", "from", "until", "predictions", "why"),
        tuple(
            (
                each["model_version"], each["forecast"], minute(each["first_predicted_at"]),
                "now" if number == 0 else minute(each["last_predicted_at"]), f"{each['n_predictions']:,}", _why(each),
            )
            for number, each in enumerate(shown)
        ),
    )  # fmt: skip


def misses(worst: pd.DataFrame, seen: Mapping[str, Mapping[str, float | None]]) -> Iterator[Block]:
    """The predictions that lost most against the market, with what the model had seen."""
    yield Heading("Worst misses")
    if worst.empty:
        yield Paragraph(f"No match of the last {RECENT_DAYS} days is settled and had a price.")
        return
    yield Paragraph(
        f"The {min(N_MISSES, len(worst))} predictions of the last {RECENT_DAYS} days that lost most log loss against "
        "the closing market (pre-match where there was none), in nats. Some loss is due: where the champion is right "
        "to differ, it loses on the days on which the rest happens. On the board, a match leads to what its forecast "
        "came from; the command touchline lineage tells the same of an id."
    )
    p = {name: _of_outcome(worst, name) for name in (CHAMPION, *REFERENCES)}
    yield Table(
        "Probability of what happened, in per cent",
        ("match", "kick-off", "result", CHAMPION, *REFERENCES.values(), "log loss lost"),
        tuple(
            (
                Link(f"{row['home_team']} v {row['away_team']}", f"/matches/{row['match_id']}"),
                minute(row["kickoff_at"]), f"{row['home_goals']}-{row['away_goals']}",
                *(percent(p[name][place]) for name in (CHAMPION, *REFERENCES)), f"{row['lost']:+.3f}",
            )
            for place, row in enumerate(worst.to_dict("records"))
        ),
    )  # fmt: skip
    yield Table(
        "What the model had seen",
        ("match", "made before kick-off", "version", "rests on", "Elo", "prices", "prediction"),
        tuple(
            (
                f"{row['home_team']} v {row['away_team']}", _hours(row["kickoff_at"] - row["predicted_at"]),
                row["model_version"], row["rests_on"], _features(seen, row, ("home_elo", "away_elo"), 0),
                _features(seen, row, [f"market_price_{side}" for side in OUTCOMES], 2),
                row["prediction_id"],
            )
            for row in worst.to_dict("records")
        ),
    )  # fmt: skip


def _alarms(evidence: Evidence) -> list[tuple[str, ...]]:
    """One row for each metric, subject and training that answers: an alarm is repeated until one does."""
    found: dict[tuple[str, str, datetime | None], list[datetime]] = {}
    for row in evidence.measured:
        if row["is_drift"] and row["as_of"] > evidence.as_of - ALARMS_SHOWN:
            answer = _answer(evidence, row["as_of"])
            key = row["metric"], row["subject"], None if answer is None else answer[0]
            found.setdefault(key, []).append(row["as_of"])
    return [
        (
            metric,
            subject,
            minute(raised[0]),
            minute(raised[-1]),
            str(len(raised)),
            _followed(evidence, raised[0]),
        )
        for (metric, subject, _), raised in found.items()
    ]


def _answer(evidence: Evidence, alarm: datetime) -> tuple[datetime, TrainedVersion] | None:
    """The first training at the alarm or later: when, and the version that it made or confirmed."""
    trained = [(each.as_of, each) for each in evidence.trained if each.as_of >= alarm]
    confirmed = [
        (each.confirmed_as_of, each)
        for each in evidence.trained
        if each.confirmed_as_of is not None and alarm <= each.confirmed_as_of <= evidence.as_of
    ]
    return min([*trained, *confirmed], key=lambda each: each[0], default=None)


def _followed(evidence: Evidence, alarm: datetime) -> str:
    answer = _answer(evidence, alarm)
    if answer is None:
        return "no training yet"
    at, version = answer
    if version.as_of < alarm:
        return f"training found nothing new beyond version {version.version}, {minute(at)}"
    spoken = [
        each["first_predicted_at"] for each in evidence.reigns if each["model_version"] == version.version
    ]
    became = f"champion from {minute(min(spoken))}" if spoken else "not champion"
    return f"version {version.version} trained as of {minute(at)}, {became}"


def _why(reign: Row) -> str:
    if not reign["reason"]:
        return "not recorded; a baseline stands in where a model was refused"
    promoted = (
        "promoted"
        if reign["state"] == "promoted"
        else f"promoted by a person; training said {reign['state']}"
    )
    return f"{promoted}: {reign['reason']}"


def _of_outcome(worst: pd.DataFrame, name: str) -> Floats:
    """The probability of what happened (n,)."""
    p = worst[[f"p_{name}_{side}" for side in OUTCOMES]].to_numpy(dtype=np.float64)
    return np.asarray(p[np.arange(len(worst)), worst["outcome"].to_numpy(dtype=np.int64)], dtype=np.float64)


def _features(
    seen: Mapping[str, Mapping[str, float | None]], row: Mapping[Any, Any], names: Sequence[str], digits: int
) -> str:
    values = [seen[row["prediction_id"]].get(name) for name in names]
    return "" if any(each is None for each in values) else " / ".join(f"{each:.{digits}f}" for each in values)


def _hours(before: timedelta) -> str:
    return f"{before.total_seconds() / 3600:.1f} h"
