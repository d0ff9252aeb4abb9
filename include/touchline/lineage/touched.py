"""Forward: everything a payload touched, from its observations to the predictions and models that rest on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from touchline.database.engine import Connection, connect, rows, scalar
from touchline.database.queries import query
from touchline.errors import PayloadUnknown
from touchline.lineage.trace import MATCHES_PER_TEAM, whose_word_counts
from touchline.settings import Settings

MOST_SHOWN: Final = 500


@dataclass(frozen=True)
class TouchedReport:
    """What came of one payload. Times are UTC, rows count from 1.

    `matches` are those it said something new of, with what; `rejected` values it could not be used for, `settled_at`
    when they were later. `set_aside` are facts that landed and that nothing rests on, with `rules` and `reasons` (in
    the same order) and since when. `predictions` are those whose features could rest on it, as known at their
    `features_as_of`, with `through`: fixture, quotes, or the result of a match of either side (one of its last 20).
    `n_through_ratings` counts the other later predictions in the same countries,
    reached through the opponents' ratings alone. `models` are the versions trained on its matches. Lists hold at
    most 500; the counts all.
    """

    payload: dict[str, Any]
    n_matches: int
    n_fixtures: int
    n_scores: int
    n_quotes: int
    n_rejected: int
    n_set_aside: int
    n_predictions: int
    n_through_ratings: int
    matches: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    set_aside: list[dict[str, Any]]
    predictions: list[dict[str, Any]]
    models: list[dict[str, Any]]

    @property
    def summary(self) -> str:
        """One sentence."""
        return (
            f"Payload {self.payload['payload_id']} touched {self.n_matches} matches ({self.n_fixtures} fixtures, "
            f"{self.n_scores} results, {self.n_quotes} quotes were new, {self.n_rejected} values rejected, "
            f"{self.n_set_aside} facts set aside); "
            f"{self.n_predictions} predictions could rest on it, {self.n_through_ratings} more through ratings, and "
            f"{len(self.models)} model versions were trained on it."
        )


def touched(settings: Settings, payload_id: int) -> TouchedReport:
    """Follow a payload forward. Raises PayloadUnknown when landing does not hold it."""
    with connect(settings, "model") as connection:
        found = rows(connection, query("lineage/sql/touched_payload"), {"payload_id": payload_id})
        if not found:
            newest = scalar(connection, "select max(payload_id) from landing.payload")
            raise PayloadUnknown(
                f"landing.payload has no {payload_id}; the newest is {newest or 'not there yet: nothing has landed'}"
            )
        given = {
            "payload_id": payload_id,
            "observed_at": found[0]["observed_at"],
            "look_back": MATCHES_PER_TEAM,
            **whose_word_counts(settings),
        }
        return _touched(connection, found[0], given)


def _touched(connection: Connection, payload: dict[str, Any], given: dict[str, Any]) -> TouchedReport:
    is_built = scalar(connection, "select to_regclass('features.team_match')") is not None
    facts = rows(connection, query("lineage/sql/touched_facts"), given)
    rejected = rows(connection, query("lineage/sql/touched_rejected"), given)
    set_aside = rows(connection, query("lineage/sql/touched_set_aside"), given)
    match_ids = [row["match_id"] for row in facts]
    names = rows(connection, query("lineage/sql/touched_names"), {"match_ids": match_ids})
    named = {row["match_id"]: row for row in names}
    matches = [{**named.get(row["match_id"], {}), **row} for row in facts]
    matches.sort(
        key=lambda row: row.get("kickoff_at") or datetime.max.replace(tzinfo=payload["observed_at"].tzinfo)
    )
    predictions = rows(connection, query("lineage/sql/touched_predictions"), given) if is_built else []
    return TouchedReport(
        payload=payload,
        n_matches=len(matches),
        n_fixtures=sum(row["is_fixture"] for row in facts),
        n_scores=sum(row["is_score"] for row in facts),
        n_quotes=sum(row["n_quotes"] for row in facts),
        n_rejected=len(rejected),
        n_set_aside=len(set_aside),
        n_predictions=len(predictions),
        n_through_ratings=_through_ratings(connection, given, predictions) if is_built else 0,
        matches=matches[:MOST_SHOWN],
        rejected=rejected[:MOST_SHOWN],
        set_aside=[{**named.get(row["match_id"], {}), **row} for row in set_aside[:MOST_SHOWN]],
        predictions=predictions[:MOST_SHOWN],
        models=rows(connection, query("lineage/sql/touched_models"), given) if is_built else [],
    )


def _through_ratings(connection: Connection, given: dict[str, Any], direct: list[dict[str, Any]]) -> int:
    known = [row["prediction_id"] for row in direct]
    return int(scalar(connection, query("lineage/sql/touched_through_ratings"), {**given, "direct": known}))
