"""The picture of a lineage report laid out, from payloads on the left to the outcome on the right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from touchline.lineage.trace import LineageReport

PAYLOADS_DRAWN: Final = 6
WIDTH: Final = 1480
BOX: Final = (168, 46)
GAP: Final = 16
TOP: Final = 44
MARGIN: Final = 10
COLUMNS: Final = ("payloads", "observations", "warehouse", "features", "model", "prediction", "outcome")


@dataclass(frozen=True)
class Box:
    """One node: its column, a title, a line below it, and what the pointer is told."""

    key: str
    column: int
    title: str
    line: str
    hint: str = ""
    is_strong: bool = False


@dataclass
class Drawing:
    """Boxes and the ties between them; a tie's weight is how many rows it stands for."""

    boxes: list[Box] = field(default_factory=list)
    ties: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Curve:
    """A tie as drawn: what it starts from, its width, its SVG path, and what the pointer is told."""

    kind: str
    width: float
    path: str
    hint: str


@dataclass(frozen=True)
class Picture:
    """What the template draws: headings with the middle of their columns, curves, and boxes with their top left."""

    width: int
    height: int
    columns: Sequence[tuple[str, float]]
    curves: Sequence[Curve]
    boxes: Sequence[tuple[Box, float, float]]
    box_width: int
    box_height: int


def draw(report: LineageReport, learned: Mapping[str, Any] | None) -> Picture:
    """Everything in its place. `learned` is what is known of the model version's training, None when nothing is."""
    drawing = Drawing()
    _add_observations(drawing, report)
    _add_payloads(drawing, report)
    _add_forecast(drawing, report, learned)
    places, height = _places(drawing.boxes)
    return Picture(
        width=WIDTH,
        height=height,
        columns=[(name, _left(number) + BOX[0] / 2) for number, name in enumerate(COLUMNS)],
        curves=list(_curves(drawing.ties, places)),
        boxes=[(box, *places[box.key]) for box in drawing.boxes],
        box_width=BOX[0],
        box_height=BOX[1],
    )


def _groups(report: LineageReport) -> dict[str, tuple[str, Sequence[dict[str, Any]], tuple[str, ...]]]:
    """Observations by what they say: title, rows, and the boxes of the warehouse they end in."""
    made = report.prediction
    rated = ("ratings", "form", "table")
    return {
        "home": (f"results {made['home_team']}", report.home_matches, rated),
        "away": (f"results {made['away_team']}", report.away_matches, rated),
        "meetings": ("meetings of the two", report.meetings, ("head to head",)),
        "quotes": ("pre-match quotes", report.quotes, ("market",)),
        "fixture": ("fixture as listed", [] if report.fixture is None else [report.fixture], ("match",)),
    }


def _add_observations(drawing: Drawing, report: LineageReport) -> None:
    reached: dict[str, int] = {}
    for key, (title, rows, ends) in _groups(report).items():
        if not rows:
            continue
        until = max(row["known_at"] for row in rows)
        drawing.boxes.append(
            Box(
                key,
                1,
                title,
                f"{_count(len(rows), 'row')}, by {until:%d %b %Y}",
                f"{title}: {len(rows)} rows",
            )
        )
        for end in ends:
            drawing.ties.append((key, end, len(rows)))
            reached[end] = reached.get(end, 0) + len(rows)
    lines = {
        "ratings": "Elo, pi-ratings", "form": "points, goals, shots", "table": "league position",
        "head to head": "last meetings", "market": "overround removed", "match": "kick-off, sides",
    }  # fmt: skip
    for end, n_rows in reached.items():
        drawing.boxes.append(Box(end, 2, end, lines[end]))
        drawing.ties.append((end, "features", n_rows))


def _add_payloads(drawing: Drawing, report: LineageReport) -> None:
    by_use = sorted(report.payloads, key=lambda row: -len(row["row_numbers"]))
    drawn = by_use[:PAYLOADS_DRAWN] if len(by_use) > PAYLOADS_DRAWN + 1 else by_use
    rest = by_use[len(drawn) :]
    names = {row["payload_id"]: f"payload {row['payload_id']}" for row in drawn}
    names |= {row["payload_id"]: "more payloads" for row in rest}
    for row in drawn:
        name = row["endpoint"].rstrip("/").rpartition("/")[2]
        hint = f"{row['source']} {row['endpoint']}, {row['n_bytes']:,} bytes, SHA-256 {row['content_hash']}"
        drawing.boxes.append(
            Box(
                names[row["payload_id"]],
                0,
                f"{row['payload_id']}: {name}",
                f"{row['observed_at']:%d %b %Y}",
                hint,
            )
        )
    if rest:
        drawing.boxes.append(Box("more payloads", 0, f"{len(rest)} more payloads", "in the table below"))
    for key, (_, rows, _) in _groups(report).items():
        used: dict[str, int] = {}
        for row in rows:
            used[names[row["payload_id"]]] = used.get(names[row["payload_id"]], 0) + 1
        drawing.ties += [(name, key, n_rows) for name, n_rows in used.items()]


def _add_forecast(drawing: Drawing, report: LineageReport, learned: Mapping[str, Any] | None) -> None:
    made, n_unknown = report.prediction, sum(value is None for value in report.features.values())
    drawing.boxes += [
        Box(
            "features", 3, f"{len(report.features)} features", f"as of {made['features_as_of']:%d %b %H:%M}",
            f"{n_unknown} unknown; SHA-256 {made['feature_hash']}",
        ),
        Box(
            "model", 4, f"version {made['model_version']}, {made['forecast']}",
            f"of {int(learned['n_matches']):,} matches" if learned else made["model_name"], made["model_name"],
        ),
        Box(
            "prediction", 5, " / ".join(f"{made[name]:.0%}" for name in ("p_home", "p_draw", "p_away")),
            f"{made['predicted_at']:%d %b %Y %H:%M}", f"prediction {made['prediction_id']}", True,
        ),
    ]  # fmt: skip
    drawing.ties += [("features", "model", 1), ("model", "prediction", 1)]
    if report.outcome is not None:
        came = report.outcome
        drawing.boxes.append(
            Box(
                "outcome", 6, f"{came['home_goals']}-{came['away_goals']} ({came['outcome']})",
                f"log loss {came['log_loss']:.3f}", f"RPS {came['rps']:.3f}", True,
            )
        )  # fmt: skip
        drawing.ties.append(("prediction", "outcome", 1))
    else:
        drawing.boxes.append(Box("outcome", 6, "not settled", f"kick-off {made['kickoff_at']:%d %b %H:%M}"))
        drawing.ties.append(("prediction", "outcome", 1))


def _left(column: int) -> float:
    return MARGIN + column * (WIDTH - 2 * MARGIN - BOX[0]) / (len(COLUMNS) - 1)


def _places(boxes: Sequence[Box]) -> tuple[dict[str, tuple[float, float]], int]:
    columns = [[box for box in boxes if box.column == number] for number in range(len(COLUMNS))]
    tallest = max(len(column) for column in columns)
    height = TOP + tallest * (BOX[1] + GAP)
    places = {}
    for number, column in enumerate(columns):
        first = TOP + (tallest - len(column)) * (BOX[1] + GAP) / 2
        for place, box in enumerate(column):
            places[box.key] = (_left(number), first + place * (BOX[1] + GAP))
    return places, height


def _curves(
    ties: Sequence[tuple[str, str, int]], places: Mapping[str, tuple[float, float]]
) -> Iterator[Curve]:
    heaviest = max((n for _, _, n in ties), default=1)
    for start, end, n_rows in ties:
        (x1, y1), (x2, y2) = places[start], places[end]
        x1, y1, y2 = x1 + BOX[0], y1 + BOX[1] / 2, y2 + BOX[1] / 2
        middle = (x1 + x2) / 2
        path = f"M{x1:.0f} {y1:.1f} C{middle:.0f} {y1:.1f} {middle:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"
        yield Curve(start.split()[0], 1.5 + 5 * n_rows / heaviest, path, _count(n_rows, "row"))


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
