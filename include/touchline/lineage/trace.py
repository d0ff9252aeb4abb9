"""What a prediction was made of: model, features, matches, prices, and the payloads they were read from."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from touchline.database.engine import Connection, connect, rows, scalar
from touchline.database.queries import query
from touchline.errors import PredictionUnknown
from touchline.settings import Settings
from touchline.sources.configuration import read_configuration

# Queries of `lineage/sql` with their parameters, one after the other; whoever has a connection sends the rows of each.
Questions = Generator[tuple[str, dict[str, Any]], Sequence[Mapping[str, Any]], "LineageReport"]

# As many as the longest form feature looks back on.
MATCHES_PER_TEAM = 20
CANDIDATES_SHOWN = 5


@dataclass(frozen=True)
class LineageReport:
    """Everything behind one prediction, as known at its `features_as_of`. Times are UTC.

    Matches, quotes and the fixture name the payload and row they were read from; rows count from 1, the first
    after the header. `payloads` lists those payloads once, each with the rows used. `outcome` is None until the
    prediction is settled.
    """

    prediction: dict[str, Any]
    features: dict[str, float | None]
    home_matches: list[dict[str, Any]]
    away_matches: list[dict[str, Any]]
    quotes: list[dict[str, Any]]
    fixture: dict[str, Any] | None
    payloads: list[dict[str, Any]]
    outcome: dict[str, Any] | None

    @property
    def version(self) -> str:
        """The model version, as `ops.lineage_edge` names it."""
        return f"{self.prediction['model_name']}/{self.prediction['model_version']}"

    @property
    def summary(self) -> str:
        """One sentence."""
        return (
            f"Prediction {self.prediction['prediction_id']} rests on {len(self.home_matches)} + "
            f"{len(self.away_matches)} matches and {len(self.quotes)} quotes from {len(self.payloads)} payloads, "
            f"all known by {self.prediction['features_as_of'].isoformat()}."
        )


def trace(settings: Settings, prediction_id: str) -> LineageReport:
    """Follow a prediction back to payload bytes; any unique beginning of its id will do.

    Raises PredictionUnknown when no prediction, or more than one, begins like that.
    """
    with connect(settings, "model") as connection:
        questions = ask(_find(connection, prediction_id), whose_word_counts(settings))
        try:
            name, parameters = next(questions)
            while True:
                name, parameters = questions.send(rows(connection, query(f"lineage/sql/{name}"), parameters))
        except StopIteration as found:
            report: LineageReport = found.value
            return report


def whose_word_counts(settings: Settings) -> dict[str, list[str]]:
    """Sources in the order in which they are believed, by kind of facts, for the queries' parameters."""
    priorities = read_configuration(settings.sources_file).priorities
    return {kind: list(names) for kind, names in priorities.items()}


def _find(connection: Connection, prediction_id: str) -> dict[str, Any]:
    digits = prediction_id.strip().lower().replace("-", "")
    if not re.fullmatch("[0-9a-f]{1,32}", digits):
        raise PredictionUnknown(
            f"{prediction_id!r} is not the beginning of a prediction's id: those are hexadecimal digits and "
            "dashes, as in analytics.upcoming_predictions or on the board"
        )
    bounds = {"first_id": UUID(digits.ljust(32, "0")), "last_id": UUID(digits.ljust(32, "f"))}
    found = rows(
        connection, query("lineage/sql/predictions_by_id"), {**bounds, "limit": CANDIDATES_SHOWN + 1}
    )
    if len(found) == 1:
        return found[0]
    if not found:
        n_predictions = scalar(connection, "select count(*) from ledger.prediction")
        raise PredictionUnknown(
            f"none of the {n_predictions:,} predictions in the ledger begins with {prediction_id!r}; ids are in "
            "analytics.upcoming_predictions and ledger.prediction"
        )
    shown = [
        f"  {row['prediction_id']}  {row['home_team']} v {row['away_team']}, {row['forecast']}"
        for row in found[:CANDIDATES_SHOWN]
    ]
    more = ["  ..."] if len(found) > CANDIDATES_SHOWN else []
    raise PredictionUnknown(
        "\n".join(
            [f"more than one prediction begins with {prediction_id!r}; give more of it:", *shown, *more]
        )
    )


def ask(prediction: Mapping[str, Any], priorities: Mapping[str, list[str]]) -> Questions:
    """What a prediction, a row of `ledger.prediction`, was made of; `priorities` are those of `whose_word_counts`."""
    names = ("prediction_id", "match_id", "features_as_of", "kickoff_at")
    known = {**{name: prediction[name] for name in names}, **priorities}
    of_side = {**known, "limit": MATCHES_PER_TEAM}
    home = yield "matches_before", {**of_side, "is_home": True}
    away = yield "matches_before", {**of_side, "is_home": False}
    quotes = yield "quotes", known
    fixture = yield "fixture", known
    outcome = yield "outcome", known
    used = _used([*home, *away, *quotes, *fixture])
    payloads = yield "payloads", {"payload_ids": list(used)}
    # The grid is derived from the model and the features; /v1/predictions/{id} has it.
    told = {name: value for name, value in prediction.items() if name not in ("features", "scoreline_grid")}
    return LineageReport(
        prediction={name: _plain(value) for name, value in told.items()},
        features=dict(sorted(prediction["features"].items())),
        home_matches=[dict(row) for row in home],
        away_matches=[dict(row) for row in away],
        quotes=[dict(row) for row in quotes],
        fixture=dict(fixture[0]) if fixture else None,
        payloads=[{**row, "row_numbers": sorted(used[row["payload_id"]])} for row in payloads],
        outcome=dict(outcome[0]) if outcome else None,
    )


def _used(observations: Iterable[Mapping[str, Any]]) -> dict[int, set[int]]:
    """The rows that observations were read from, by payload."""
    used: dict[int, set[int]] = defaultdict(set)
    for row in observations:
        used[row["payload_id"]].add(row["row_number"])
    return used


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, datetime)) else str(value)
