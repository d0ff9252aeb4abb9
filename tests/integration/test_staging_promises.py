"""What a validation of staging finds in a database: nothing where all is well, and each fault that is planted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders import match_row
from predictions import announce, insert_prediction
from touchline.database.engine import connect
from touchline.ledger.digests import publish_digest
from touchline.settings import Settings
from touchline.staging import plants, promises
from touchline.staging.installation import Installation
from warehouse import land

pytestmark = pytest.mark.slow

BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
AS_OF = datetime(2023, 3, 10, tzinfo=UTC)
LATE = "every prediction was made before kick-off"
PAYLOADS = "payloads stay as they were received"
DIGESTS = "the ledger agrees with every digest that was handed out"


def broken(verdicts: list[promises.Verdict]) -> list[str]:
    return [each.what for each in verdicts if not each.is_kept]


@pytest.fixture
def predicted(settings: Settings) -> Settings:
    announce(settings)
    with connect(settings, "model") as connection:
        insert_prediction(connection)
    publish_digest(settings)
    return settings


def test_a_prediction_forced_in_after_kick_off_is_found(predicted: Settings):
    assert not broken(list(promises.of_predictions(predicted, BEFORE)))
    plants.Plant(plants.LATE_PREDICTION).act(Installation(predicted))
    found = {each.what: each for each in promises.of_predictions(predicted, BEFORE)}
    assert broken(list(found.values())) == [LATE]
    assert found[LATE].figures["late"] == 1


def test_nothing_predicted_keeps_no_promise_about_predictions(settings: Settings):
    assert LATE in broken(list(promises.of_predictions(settings, BEFORE)))


def test_what_was_there_at_a_mark_is_there_as_it_was(predicted: Settings, tmp_path: Path):
    sourced = land(predicted, tmp_path, [match_row()], AS_OF)
    marks = [promises.mark(sourced)]
    land(sourced, tmp_path, [match_row(), match_row(HomeTeam="Leeds", AwayTeam="Derby")], AS_OF)
    marks.append(promises.mark(sourced))
    first, second = (int(each.payloads["n"] or 0) for each in marks)
    assert second == first + 1 > 1
    assert not broken(list(promises.append_only(sourced, marks)))
    with connect(sourced, "owner") as connection:
        connection.execute("alter table landing.payload disable trigger user")
        connection.execute("update landing.payload set n_bytes = n_bytes + 1")
    assert broken(list(promises.append_only(sourced, marks))) == [PAYLOADS]


def test_a_row_of_the_ledger_that_its_owner_changed_is_found(predicted: Settings):
    marks = [promises.mark(predicted)]
    with connect(predicted, "owner") as connection:
        connection.execute("alter table ledger.prediction disable trigger refuse_change")
        connection.execute("update ledger.prediction set p_home = p_away, p_away = p_home")
    assert broken(list(promises.append_only(predicted, marks))) == [DIGESTS]


def test_a_payload_that_nobody_read_and_a_refusal_without_its_reason_are_found(
    settings: Settings, tmp_path: Path
):
    bad = match_row(Date="never")
    sourced = land(settings, tmp_path, [match_row(), bad], AS_OF)
    (verdict,) = promises.of_collections(sourced, BEFORE)
    assert verdict.is_kept
    assert (
        verdict.figures["rows"],
        verdict.figures["parsed"],
        verdict.figures["kept with their reason"],
    ) == (2, 1, 1)
    with connect(sourced, "owner") as connection:
        connection.execute("alter table landing.rejected_row disable trigger user")
        connection.execute("delete from landing.rejected_row")
    (verdict,) = promises.of_collections(sourced, BEFORE)
    assert (verdict.is_kept, verdict.figures["payloads with rows lost"]) == (False, 1)
    with connect(sourced, "owner") as connection:
        connection.execute("alter table landing.payload_parsed disable trigger user")
        connection.execute("delete from landing.payload_parsed")
    (verdict,) = promises.of_collections(sourced, BEFORE)
    assert not verdict.is_kept
    assert verdict.figures["payloads not read"] == verdict.figures["payloads"]


def test_a_build_that_no_gate_looked_at_is_found(settings: Settings):
    with connect(settings, "ingest") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of, status) values ('run', 'build_core', %s, 'success')",
            (AS_OF,),
        )
    (verdict,) = promises.of_gates(settings, BEFORE)
    assert (verdict.is_kept, verdict.note) == (
        False,
        "build_core as of 2023-03-10 00:00 without gate landing",
    )
    with connect(settings, "transform") as connection:
        connection.execute(
            "insert into ops.quality_result (run_id, gate, suite, expectation, success, as_of) "
            "values ('run', 'landing', 'landing_rules', 'any', true, %s)",
            (AS_OF,),
        )
    (verdict,) = promises.of_gates(settings, BEFORE)
    assert verdict.is_kept
