"""Lineage: every number behind a prediction leads to a row of a payload, as it was known then."""

from __future__ import annotations

import csv
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from builders import match_row
from databases import copy_of
from october import AHEAD, NOW
from predictions import insert_prediction
from touchline.cli import app
from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows, scalar
from touchline.errors import PredictionUnknown
from touchline.ledger.settle import settle_predictions
from touchline.lineage.trace import trace
from touchline.settings import Settings
from warehouse import build, land, round_robin

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Predicted:
    settings: Settings
    prediction_id: str


@pytest.fixture(scope="module")
def predicted(october: Settings) -> Iterator[Predicted]:
    """Shared by tests that only read; whoever changes it takes `own`."""
    with copy_of(october) as copy:
        yield Predicted(copy, predict(copy))


@pytest.fixture
def own(predicted: Predicted) -> Iterator[Predicted]:
    """The same for one test alone, which may change it."""
    with copy_of(predicted.settings) as settings:
        yield replace(predicted, settings=settings)


def predict(settings: Settings, **changes: object) -> str:
    with connect(settings, "model") as connection:
        (match,) = rows(
            connection, "select match_id::text as match_id, kickoff_at from core.match where not is_played"
        )
        return insert_prediction(
            connection, **match, home_team="Leeds", away_team="Arsenal", predicted_at=NOW, features_as_of=NOW,
            features={"home_elo": 1512.5, "away_elo": None}, **changes,
        )  # fmt: skip


def lines_of_payload(settings: Settings, payload_id: int) -> list[dict[str, str]]:
    with connect(settings, "ingest") as connection:
        body = scalar(connection, "select body from landing.payload where payload_id = %s", (payload_id,))
    return list(csv.DictReader(io.StringIO(zlib.decompress(body).decode("utf-8-sig"))))


def test_every_result_leads_to_the_row_it_was_read_from(predicted: Predicted):
    report = trace(predicted.settings, predicted.prediction_id)
    matches = [*report.home_matches, *report.away_matches]
    assert [len(part) for part in (report.home_matches, report.away_matches)] == [5, 5]
    for match in matches:
        line = lines_of_payload(predicted.settings, match["payload_id"])[match["row_number"] - 1]
        assert (line["HomeTeam"], line["AwayTeam"]) == (match["home_team"], match["away_team"])
        assert (line["FTHG"], line["FTAG"]) == (str(match["home_goals"]), str(match["away_goals"]))


def test_results_are_of_the_side_and_latest_first(predicted: Predicted):
    report = trace(predicted.settings, predicted.prediction_id)
    for team, matches in (("Leeds", report.home_matches), ("Arsenal", report.away_matches)):
        assert all(team in (match["home_team"], match["away_team"]) for match in matches)
        kickoffs = [match["kickoff_at"] for match in matches]
        assert kickoffs == sorted(kickoffs, reverse=True)


def test_prices_are_the_pre_match_quotes_known_then(predicted: Predicted):
    report = trace(predicted.settings, predicted.prediction_id)
    quotes = {row["bookmaker"]: row for row in report.quotes}
    assert set(quotes) == {"B365", "market_average"}, "closing prices are of no use before kick-off"
    assert quotes["B365"]["price_home"] == 2.0
    line = lines_of_payload(predicted.settings, quotes["B365"]["payload_id"])[
        quotes["B365"]["row_number"] - 1
    ]
    assert (line["HomeTeam"], line["B365H"]) == ("Leeds", "2.00")


def test_payloads_are_listed_once_with_the_rows_used(predicted: Predicted):
    report = trace(predicted.settings, predicted.prediction_id)
    assert report.fixture is not None
    used = [*report.home_matches, *report.away_matches, *report.quotes, report.fixture]
    for payload in report.payloads:
        rows_used = {row["row_number"] for row in used if row["payload_id"] == payload["payload_id"]}
        assert payload["row_numbers"] == sorted(rows_used) != []
        assert len(payload["content_hash"]) == 64
    assert {payload["payload_id"] for payload in report.payloads} == {row["payload_id"] for row in used}
    assert report.payloads[0]["endpoint"].endswith("E0.csv")


def test_features_are_those_of_the_ledger(predicted: Predicted):
    assert trace(predicted.settings, predicted.prediction_id).features == {
        "away_elo": None,
        "home_elo": 1512.5,
    }


def test_a_correction_learned_later_does_not_change_where_a_prediction_came_from(
    own: Predicted, tmp_path: Path
):
    before = trace(own.settings, own.prediction_id)
    last = before.home_matches[0]
    corrected = [
        {**row, "FTHG": "9", "FTAG": "0", "FTR": "H"}
        if (row["HomeTeam"], row["AwayTeam"]) == (last["home_team"], last["away_team"])
        else row
        for row in round_robin()
    ]
    later = NOW + timedelta(days=1)
    sourced = land(
        own.settings,
        tmp_path / "seasons",
        [*corrected, match_row(**AHEAD, FTHG="3", FTAG="1")],
        later,
    )
    build(sourced, later)
    settle_predictions(sourced, virtual_clock(later), "settle")
    after = trace(sourced, own.prediction_id)
    assert after.home_matches == before.home_matches
    assert after.payloads == before.payloads
    assert before.outcome is None
    assert after.outcome is not None
    assert (after.outcome["home_goals"], after.outcome["away_goals"]) == (3, 1)


def test_a_unique_beginning_of_the_id_is_enough(predicted: Predicted):
    whole = trace(predicted.settings, predicted.prediction_id)
    assert trace(predicted.settings, predicted.prediction_id[:10].upper()) == whole
    assert trace(predicted.settings, predicted.prediction_id.replace("-", "")) == whole


def test_an_ambiguous_beginning_names_the_candidates(own: Predicted):
    other = predict(own.settings, forecast="elo", role="baseline")
    with pytest.raises(PredictionUnknown, match="more than one") as refusal:
        # Ids begin with the time: all of this century begin alike.
        trace(own.settings, "01")
    assert other in str(refusal.value)
    assert own.prediction_id in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ffffffff", "none of the 1 predictions"),
        ("%", "not the beginning of a prediction's id"),
        ("", "not the beginning of a prediction's id"),
        ("0" * 33, "not the beginning of a prediction's id"),
    ],
)
def test_an_id_that_is_none_is_refused(predicted: Predicted, text: str, why: str):
    with pytest.raises(PredictionUnknown, match=why):
        trace(predicted.settings, text)


def test_the_command_prints_a_tree_or_json(predicted: Predicted, monkeypatch: pytest.MonkeyPatch):
    for name, value in predicted.settings.environment().items():
        monkeypatch.setenv(name, value)
    tree = CliRunner().invoke(app, ["lineage", predicted.prediction_id])
    assert tree.exit_code == 0, tree.output
    for text in (
        "Leeds v Arsenal",
        "version 1",
        "home_elo 1512",
        "pre-match quotes",
        "E0.csv",
        "payload 1 row",
    ):
        assert text in tree.output, text
    printed = CliRunner().invoke(app, ["--json", "lineage", predicted.prediction_id])
    report = json.loads(printed.stdout)
    assert report["prediction"]["prediction_id"] == predicted.prediction_id
    assert len(report["home_matches"]) == 5
    assert report["payloads"][0]["source"]
    unknown = CliRunner().invoke(app, ["lineage", "ffff"])
    assert unknown.exit_code == 1
    assert isinstance(unknown.exception, PredictionUnknown)
