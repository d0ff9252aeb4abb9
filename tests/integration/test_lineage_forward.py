"""Forward lineage: everything a payload touched, and nothing that did not know of it."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from builders import match_row
from databases import copy_of
from predictions import insert_prediction
from touchline.cli import app
from touchline.database.engine import connect, rows
from touchline.errors import PayloadUnknown
from touchline.lineage.payload_bytes import extract, row_texts
from touchline.lineage.touched import touched
from touchline.lineage.trace import MATCHES_PER_TEAM, trace
from touchline.openlineage import model_events
from touchline.settings import Settings
from warehouse import build, land, round_robin, set_aside

pytestmark = pytest.mark.slow

FIRST = datetime(2022, 11, 4, 20, tzinfo=UTC)
SECOND = datetime(2022, 11, 5, 12, tzinfo=UTC)
# Of each day a file of the season so far and one of the fixtures ahead.
SEASON_1, AHEAD_1, SEASON_2, AHEAD_2 = 1, 2, 3, 4
LEEDS = {"Date": "05/11/2022", "Time": "15:00", "HomeTeam": "Leeds", "AwayTeam": "Arsenal"}
FULHAM = {"Date": "05/11/2022", "Time": "15:00", "HomeTeam": "Fulham", "AwayTeam": "Chelsea"}
EVERTON = {"Date": "05/11/2022", "Time": "15:00", "HomeTeam": "Everton", "AwayTeam": "Burnley"}
ARSENAL = """
select match_id::text as match_id, kickoff_at, home_team, away_team from core.match where away_team = 'Arsenal'
"""
UNPLAYED = {"FTHG": "", "FTAG": "", "FTR": ""}


@dataclass(frozen=True)
class TwoPayloads:
    """Files of one day, and of the next: a result of Leeds is corrected, a price of their next match has moved.

    `before` and `after` are predictions of Leeds v Arsenal with features as of each day; `other` is one of
    Fulham v Chelsea made on the first day. `corrected` is who Leeds played.
    """

    settings: Settings
    folder: Path
    before: str
    after: str
    other: str
    corrected: str


def first_file() -> list[dict[str, str]]:
    broken = match_row(Date="16/10/2022", HomeTeam="Leeds", AwayTeam="Nowhere", FTHG="x")
    ahead = [match_row(**row, **UNPLAYED) for row in (LEEDS, FULHAM, EVERTON)]
    return [*round_robin(), *ahead, broken]


def second_file(corrected: dict[str, str]) -> list[dict[str, str]]:
    changed = []
    for row in first_file():
        names = (row["HomeTeam"], row["AwayTeam"])
        if names == (corrected["HomeTeam"], corrected["AwayTeam"]):
            changed.append({**row, "FTHG": "9", "FTAG": "0", "FTR": "H"})
        elif names == ("Leeds", "Arsenal"):
            changed.append({**row, "B365H": "1.90"})
        else:
            changed.append(row)
    return changed


@pytest.fixture(scope="module")
def world(server: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoPayloads]:
    with copy_of(server) as empty:
        folder = tmp_path_factory.mktemp("seasons")
        corrected = next(row for row in round_robin() if row["HomeTeam"] == "Leeds")
        settings = land(empty, folder, first_file(), FIRST)
        build(settings, FIRST)
        before, other = predict(settings, "Leeds", FIRST), predict(settings, "Fulham", FIRST)
        land(settings, folder, second_file(corrected), SECOND)
        build(settings, SECOND)
        after = predict(settings, "Leeds", SECOND)
        yield TwoPayloads(settings, folder, before, after, other, corrected["AwayTeam"])


def predict(settings: Settings, home_team: str, at: datetime) -> str:
    with connect(settings, "model") as connection:
        (match,) = rows(
            connection,
            "select match_id::text as match_id, kickoff_at, home_team, away_team from core.match "
            "where not is_played and home_team = %s",
            (home_team,),
        )
        return insert_prediction(
            connection, **match, predicted_at=at, features_as_of=at, run_id=at.isoformat()
        )


def shown(settings: Settings, subject: str) -> str:
    """What the command prints, on one line."""
    environment = {**settings.environment(), "COLUMNS": "200"}
    printed = CliRunner().invoke(app, ["lineage", subject], env=environment)
    assert printed.exit_code == 0, printed.output
    return " ".join(printed.output.replace("│", " ").split())


def through(world: TwoPayloads, payload_id: int) -> dict[str, list[str]]:
    return {row["prediction_id"]: row["through"] for row in touched(world.settings, payload_id).predictions}


def test_a_payload_names_the_matches_it_said_something_new_of(world: TwoPayloads):
    season, ahead = touched(world.settings, SEASON_2), touched(world.settings, AHEAD_2)
    (result,), (price,) = season.matches, ahead.matches
    assert (result["home_team"], result["away_team"]) == ("Leeds", world.corrected)
    assert result["is_score"]
    assert not result["is_fixture"]
    assert (price["home_team"], price["away_team"], price["n_quotes"]) == ("Leeds", "Arsenal", 1)
    assert (season.n_scores, season.n_quotes, ahead.n_scores, ahead.n_quotes) == (1, 0, 0, 1)
    assert touched(world.settings, SEASON_1).n_matches == len(round_robin())


def test_what_could_not_be_used_is_listed_with_its_reason(world: TwoPayloads):
    report = touched(world.settings, SEASON_1)
    assert report.n_rejected == len(report.rejected) == report.payload["n_rejected"] == 1
    assert report.rejected[0]["value"] == "x"
    assert report.rejected[0]["settled_at"] is None


def test_a_prediction_rests_on_what_was_in_force_when_its_features_were_made(world: TwoPayloads):
    correction = f"result Leeds 9-0 {world.corrected}"
    assert through(world, SEASON_2) == {world.after: [correction]}, "the others were made the day before"
    assert through(world, AHEAD_2) == {world.after: ["quotes"]}
    assert through(world, AHEAD_1)[world.before] == ["fixture", "quotes"]
    first = through(world, SEASON_1)
    assert set(first) == {world.before, world.after, world.other}
    ways = {name: [way for way in first[name] if way.startswith("result Leeds") and way.endswith(world.corrected)]
            for name in (world.before, world.after)}  # fmt: skip
    assert len(ways[world.before]) == 1
    assert ways[world.after] == [], "the correction had taken its place"


def test_forward_and_backward_agree(world: TwoPayloads):
    forward = {
        (prediction_id, payload_id)
        for payload_id in (SEASON_1, AHEAD_1, SEASON_2, AHEAD_2)
        for prediction_id in through(world, payload_id)
    }
    backward = {
        (prediction_id, payload["payload_id"])
        for prediction_id in (world.before, world.after, world.other)
        for payload in trace(world.settings, prediction_id).payloads
    }
    assert forward == backward


def test_a_fact_set_aside_touched_nothing_and_says_why(world: TwoPayloads):
    correction = touched(world.settings, SEASON_2).matches[0]["match_id"]
    leeds = touched(world.settings, AHEAD_2).matches[0]["match_id"]
    with copy_of(world.settings) as settings:
        assert set_aside(settings, "score", SEASON_2, correction, SECOND) == 1
        assert set_aside(settings, "score", SEASON_2, correction, SECOND, "disputed") == 1
        assert set_aside(settings, "quote", AHEAD_2, leeds, SECOND) == 1
        assert set_aside(settings, "fixture", AHEAD_1, leeds, SECOND) == 1
        own = replace(world, settings=settings)
        result, price = touched(settings, SEASON_2), touched(settings, AHEAD_2)
        before, ahead = through(own, SEASON_1), through(own, AHEAD_1)
        back = trace(settings, world.after)
        printed = shown(settings, f"payload:{SEASON_2}")
        price_printed = shown(settings, f"payload:{AHEAD_2}")
    assert (result.n_predictions, result.n_through_ratings, price.n_predictions) == (0, 0, 0)
    (fact,) = result.set_aside
    assert (fact["kind"], fact["home_team"], fact["rules"], fact["reasons"]) == (
        "score", "Leeds", ["disputed", "doubted"], ["why disputed", "why doubted"],
    )  # fmt: skip
    assert (result.n_set_aside, price.n_set_aside, price.set_aside[0]["bookmaker"]) == (1, 1, "B365")
    played = [
        way for way in before[world.after] if way.startswith("result Leeds") and way.endswith(world.corrected)
    ]
    assert len(played) == 1, "nothing has taken the place of the first word"
    assert ahead[world.after] == ["quotes"], "no longer the fixture, and the older price"
    assert {row["payload_id"] for row in back.home_matches} == {SEASON_1}
    assert {row["payload_id"] for row in back.quotes} == {AHEAD_1}
    assert back.fixture is None
    assert "result set aside 2022-11-05 12:00: disputed, why disputed; doubted, why doubted" in printed
    assert "quote of B365, 1x2 set aside" in price_printed


def test_a_model_that_knew_only_what_was_set_aside_is_not_named(world: TwoPayloads):
    correction = touched(world.settings, SEASON_2).matches[0]["match_id"]
    with copy_of(world.settings) as settings:
        model_events.emit(settings, fit("2", SECOND), "train-2")
        assert len(touched(settings, SEASON_2).models) == 1
        set_aside(settings, "score", SEASON_2, correction, SECOND)
        assert touched(settings, SEASON_2).models == []


def test_how_far_back_a_prediction_looked_is_counted_in_matches_known_then(server: Settings, tmp_path: Path):
    """Twenty results, another match still ahead of the one predicted: it takes no result's place by being played."""
    season = [
        match_row(Date=f"{day:02d}/10/2022", Time="15:00", HomeTeam="Leeds", AwayTeam=f"Visitors {day}")
        for day in range(1, MATCHES_PER_TEAM + 1)
    ]
    between = {"Date": "04/11/2022", "Time": "21:00", "HomeTeam": "Leeds", "AwayTeam": "Fulham"}
    with copy_of(server) as empty:
        ahead = [match_row(**row, **UNPLAYED) for row in (between, LEEDS)]
        settings = land(empty, tmp_path, [*season, *ahead], FIRST)
        build(settings, FIRST)
        with connect(settings, "model") as connection:
            (match,) = rows(connection, ARSENAL)
            said = [
                insert_prediction(
                    connection, **match, predicted_at=FIRST, features_as_of=FIRST, run_id="first"
                )
            ]
        land(settings, tmp_path, [*season, match_row(**between), ahead[1]], SECOND)
        build(settings, SECOND)
        with connect(settings, "model") as connection:
            said.append(
                insert_prediction(
                    connection, **match, predicted_at=SECOND, features_as_of=SECOND, run_id="second"
                )
            )
        found = {row["prediction_id"]: row["through"] for row in touched(settings, SEASON_1).predictions}
        looked = [len(trace(settings, each).home_matches) for each in said]
    assert looked == [MATCHES_PER_TEAM, MATCHES_PER_TEAM]
    oldest = "result Leeds 2-1 Visitors 1"
    assert [oldest in found[each] for each in said] == [True, False]
    assert [sum(way.startswith("result") for way in found[each]) for each in said] == [20, 19]


def test_predictions_reached_by_ratings_alone_are_counted(world: TwoPayloads):
    with copy_of(world.settings) as settings:
        rated_only = predict(settings, "Everton", SECOND)
        report = touched(settings, SEASON_2)
    assert rated_only not in {row["prediction_id"] for row in report.predictions}
    assert (report.n_predictions, report.n_through_ratings) == (1, 1)


def test_a_model_version_is_named_when_its_training_knew_the_result(world: TwoPayloads):
    with copy_of(world.settings) as settings:
        for version, as_of in (("1", FIRST), ("2", SECOND)):
            model_events.emit(settings, fit(version, as_of), f"train-{version}")
        first, second = touched(settings, SEASON_1), touched(settings, SEASON_2)
    learned = {row["model_version"]: row["n_matches"] for row in first.models}
    assert learned == {"m/1": 15, "m/2": 15}, "all results; of the corrected match at least its prices"
    assert [row["model_version"] for row in second.models] == ["m/2"]
    assert second.models[0]["n_matches"] == 1


def fit(version: str, as_of: datetime) -> model_events.Fit:
    tags = {
        "as_of": as_of.isoformat(), "trained_from": "2022-10-01T00:00:00+00:00",
        "trained_until": "2022-10-31T00:00:00+00:00", "n_matches": "15", "competitions": "E0,E1",
        "dataset_digest": f"digest-{version}", "primary": "elo",
    }  # fmt: skip
    return model_events.Fit("m", version, "run", tags, as_of, as_of)


def test_the_bytes_come_out_as_they_were_received(world: TwoPayloads, tmp_path: Path):
    extracted = extract(world.settings, [SEASON_1, AHEAD_2], tmp_path / "out")
    assert [written.payload_id for written in extracted] == [SEASON_1, AHEAD_2]
    for written in extracted:
        with connect(world.settings, "model") as connection:
            query = "select body, content_hash from landing.payload where payload_id = %s"
            (stored,) = rows(connection, query, (written.payload_id,))
        received = written.path.read_bytes()
        assert received == zlib.decompress(stored["body"])
        assert hashlib.sha256(received).digest() == bytes(stored["content_hash"])
        assert written.is_intact


def test_the_rows_shown_are_those_that_were_used(world: TwoPayloads):
    report = trace(world.settings, world.after)
    texts = row_texts(world.settings, [(row["payload_id"], row["row_numbers"]) for row in report.payloads])
    shown = {(each.payload_id, each.row_number): each.text for each in texts}
    for match in [*report.home_matches, *report.away_matches]:
        text = shown[match["payload_id"], match["row_number"]]
        assert (
            f"{match['home_team']},{match['away_team']},{match['home_goals']},{match['away_goals']}" in text
        )
    assert all(each.header is not None and each.header.startswith("Div,") for each in texts)


def test_a_payload_that_landing_does_not_hold_is_refused(world: TwoPayloads, tmp_path: Path):
    with pytest.raises(PayloadUnknown, match="no 99; the newest is 4"):
        touched(world.settings, 99)
    with pytest.raises(PayloadUnknown, match="no 98, 99"):
        extract(world.settings, [SEASON_1, 98, 99], tmp_path)


def test_the_command_shows_a_payload_and_writes_bytes(
    world: TwoPayloads, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name, value in world.settings.environment().items():
        monkeypatch.setenv(name, value)
    tree = CliRunner().invoke(app, ["lineage", f"payload:{SEASON_2}", "--extract", str(tmp_path)])
    assert tree.exit_code == 0, tree.output
    for text in ("E0.csv", "result Leeds 9-0", "1 predictions that could rest on it", "byte for byte"):
        assert text in tree.output, text
    assert [path.name[:2] for path in tmp_path.iterdir()] == ["3-"]
    printed = CliRunner().invoke(app, ["--json", "lineage", f"payload:{SEASON_2}"])
    assert json.loads(printed.stdout)["predictions"][0]["prediction_id"] == world.after
    rows_shown = CliRunner().invoke(app, ["lineage", world.after, "--bytes"])
    assert "Leeds,Arsenal" in rows_shown.output.replace("\n", "").replace(" ", "").replace("│", "")
    assert CliRunner().invoke(app, ["lineage", "payload:x"]).exit_code == 2
