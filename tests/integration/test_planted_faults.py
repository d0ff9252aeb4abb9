"""Every planted fault is caught by the rule or expectation that is named, as bad as it says, and hurts nobody else.

Faults are planted many at once, each in a competition of its own: what one does to another competition would be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import pytest

from databases import copy_of
from planted_faults import BODIES, LANDED, PARSED, Fault
from planted_outputs import FEATURES, PREDICTIONS, TRAINING, WAREHOUSE, OutputFault, WarehouseFault
from planted_world import CLEAN, COMPETITIONS, FAULTY, answers, bodies_at, land, land_clean, renamed
from predictions import prediction
from touchline.database.engine import Connection, connect, rows, scalar
from touchline.ledger.prediction import gate_frame
from touchline.quality.findings import GateReport
from touchline.quality.gates import check_features, check_landing, check_predictions, check_training
from touchline.quality.rules import catalogue
from touchline.quality.screening import screen
from touchline.ratings.update import update_ratings
from touchline.settings import Settings
from touchline.warehouse.build import build_layer

pytestmark = pytest.mark.slow

ALL = [*PARSED, *LANDED, *BODIES, *WAREHOUSE, *FEATURES, *TRAINING, *PREDICTIONS]
HALF = len(LANDED) // 2
LANDING_BATCHES = (PARSED, LANDED[:HALF], LANDED[HALF:], BODIES)
MATCHES_OF = """
select distinct on (fixture_key) fixture_key as key from landing.fixture_observation
where competition = %s and kickoff_on = %s and source = 'football_data_uk' order by fixture_key
"""


@dataclass(frozen=True)
class Batch:
    """Faults by the competition they were planted in, and what the gate said."""

    planted: Mapping[str, Any]
    report: GateReport
    quarantined: Sequence[Mapping[str, Any]] = ()
    rejected: Sequence[Mapping[str, Any]] = ()
    n_quarantined_again: int = 0

    def competition_of(self, fault: Any) -> str:
        return next(code for code, planted in self.planted.items() if planted is fault)

    def assert_caught(self, fault: Any) -> None:
        """The expectation fails, with its severity, for the fault's competition, and says what to do."""
        competition = self.competition_of(fault)
        found = [
            finding
            for finding in self.report.findings
            if not finding.success
            and finding.severity == fault.severity
            and fault.caught_by
            in (finding.column, f"{finding.suite}.{finding.column}", f"{finding.suite}.{finding.expectation}")
        ]
        assert found, self.report.summary
        assert any(competition in finding.competitions for finding in found), found
        assert all(finding.advice and finding.advice in self.report.summary for finding in found)
        assert fault.severity != "block" or competition in self.report.held


@pytest.fixture(scope="module")
def world(module_settings: Settings) -> Settings:
    """The clean world: landed, through the landing gate, built."""
    land_clean(module_settings)
    report = check_landing(module_settings, CLEAN, "clean")
    assert [str(finding) for finding in report.findings if not finding.success] == []
    build_layer(module_settings, "core", CLEAN, "build")
    update_ratings(module_settings, CLEAN, "build")
    build_layer(module_settings, "features", CLEAN, "build")
    return module_settings


@pytest.fixture
def copied(world: Settings) -> Iterator[Settings]:
    with copy_of(world) as settings:
        yield settings


def in_competitions(faults: Sequence[Any]) -> dict[str, Any]:
    """Each fault in a competition of its own, two at least left sound."""
    assert len(faults) <= len(COMPETITIONS) - 2
    return dict(zip(COMPETITIONS, faults, strict=False))


def landed(world: Settings, faults: Sequence[Fault]) -> Batch:
    planted = in_competitions(faults)
    bodies = {competition: bodies_at(FAULTY) for competition in COMPETITIONS}
    for competition, fault in planted.items():
        fault.change(bodies[competition])
    with copy_of(world) as settings:
        land(settings, answers(bodies), FAULTY)
        with connect(settings, "ingest") as connection:
            for competition, fault in planted.items():
                if fault.facts:
                    put_facts(connection, competition, fault.facts)
        report = check_landing(settings, FAULTY, "faulty")
        with connect(settings, "transform") as connection:
            quarantined = rows(
                connection,
                "select bad.*, (select competition from landing.fixture_observation as fixture "
                "where fixture.fixture_key = bad.fixture_key limit 1) as competition "
                "from landing.quarantined_fact as bad",
            )
            rejected = rows(
                connection,
                "select rejected_row.*, endpoint from landing.rejected_row inner join landing.payload "
                "using (payload_id) where rejected_row.observed_at = %s",
                (FAULTY,),
            )
        screen(settings, FAULTY, "again")
        with connect(settings, "transform") as connection:
            again = scalar(connection, "select count(*) from landing.quarantined_fact")
    return Batch(planted, report, quarantined, rejected, again)


@pytest.fixture(scope="module")
def landing_batches(world: Settings) -> dict[str, Batch]:
    """Name of a fault -> the batch it was planted in."""
    found = [landed(world, faults) for faults in LANDING_BATCHES]
    return {fault.name: batch for batch in found for fault in batch.planted.values()}


@pytest.fixture(scope="module")
def warehouse_batch(world: Settings) -> Batch:
    planted = in_competitions([*WAREHOUSE, *FEATURES])
    with copy_of(world) as settings:
        with connect(settings, "transform") as connection:
            drop_guards(connection)
            for competition, fault in planted.items():
                connection.execute(renamed(fault.statement, competition))
        return Batch(planted, check_features(settings, CLEAN, "faulty"))


@pytest.fixture(scope="module")
def training_batch(world: Settings) -> Batch:
    planted = in_competitions(TRAINING)
    frames = [
        planted[code].change(training_set(code)) if code in planted else training_set(code)
        for code in COMPETITIONS
    ]
    return Batch(planted, check_training(world, pd.concat(frames, ignore_index=True), CLEAN, "faulty"))


@pytest.fixture(scope="module")
def prediction_batch(world: Settings) -> Batch:
    planted = in_competitions(PREDICTIONS)
    frames = [
        planted[code].change(forecast(number, code)) if code in planted else forecast(number, code)
        for number, code in enumerate(COMPETITIONS)
    ]
    return Batch(planted, check_predictions(world, pd.concat(frames, ignore_index=True), CLEAN, "faulty"))


def named(faults: Sequence[Any]) -> list[Any]:
    return [pytest.param(fault, id=fault.name.replace(" ", "-")) for fault in faults]


def test_a_clean_world_raises_nothing(copied: Settings):
    land(copied, answers(dict.fromkeys(COMPETITIONS, bodies_at(FAULTY))), FAULTY)
    gates = [
        check_landing(copied, FAULTY, "clean"),
        check_features(copied, CLEAN, "clean"),
        check_training(copied, pd.concat(map(training_set, COMPETITIONS), ignore_index=True), CLEAN, "clean"),
        check_predictions(
            copied, pd.concat([forecast(*each) for each in enumerate(COMPETITIONS)]), CLEAN, "clean"
        ),
    ]
    assert [str(finding) for gate in gates for finding in gate.findings if not finding.success] == []
    assert [gate.held for gate in gates] == [()] * 4
    with connect(copied, "transform") as connection:
        assert scalar(connection, "select count(*) from landing.quarantined_fact") == 0
        assert scalar(connection, "select count(*) from landing.rejected_row") == 0


def test_at_least_forty_four_faults_of_every_severity_are_planted():
    assert len({fault.name for fault in ALL}) == len(ALL) >= 44
    assert {fault.severity for fault in ALL} == {"block", "quarantine", "warn"}


@pytest.mark.parametrize("fault", named(PARSED))
def test_a_fault_in_bytes_is_set_aside_while_parsing(landing_batches: dict[str, Batch], fault: Fault):
    batch = landing_batches[fault.name]
    rule = catalogue()[fault.caught_by]
    found = [row for row in batch.rejected if row["rule"] == fault.caught_by]
    assert found, f"{fault.caught_by} refused nothing"
    assert all(row["reason"] and row["scope"] == rule.applies_to for row in found)
    assert (rule.severity, bool(rule.advice)) == (fault.severity, True)


@pytest.mark.parametrize("fault", named(LANDED))
def test_a_fact_that_cannot_be_right_is_caught_at_the_landing_gate(
    landing_batches: dict[str, Batch], fault: Fault
):
    batch = landing_batches[fault.name]
    batch.assert_caught(fault)
    assert catalogue()[fault.caught_by].severity == fault.severity
    left_out = {row["rule"] for row in batch.quarantined if row["competition"] == batch.competition_of(fault)}
    assert (fault.caught_by in left_out) == (fault.severity == "quarantine")
    assert all(row["reason"] for row in batch.quarantined)


@pytest.mark.parametrize("fault", named(BODIES))
def test_a_body_that_is_not_whole_is_caught_at_the_landing_gate(
    landing_batches: dict[str, Batch], fault: Fault
):
    landing_batches[fault.name].assert_caught(fault)


@pytest.mark.parametrize("fault", named([*WAREHOUSE, *FEATURES]))
def test_a_fault_in_the_warehouse_is_caught_at_its_gate(warehouse_batch: Batch, fault: WarehouseFault):
    warehouse_batch.assert_caught(fault)


@pytest.mark.parametrize("fault", named(TRAINING))
def test_a_fault_in_a_training_set_is_caught_at_its_gate(training_batch: Batch, fault: OutputFault):
    if fault.severity == "warn":
        # A mean over all rows names no competition, and holds none.
        finding = next(each for each in training_batch.report.findings if each.column == "goals")
        assert not finding.success
        assert finding.severity == "warn"
    else:
        training_batch.assert_caught(fault)


@pytest.mark.parametrize("fault", named(PREDICTIONS))
def test_a_fault_in_predictions_is_caught_at_its_gate(prediction_batch: Batch, fault: OutputFault):
    prediction_batch.assert_caught(fault)


@pytest.mark.parametrize("faults", LANDING_BATCHES, ids=["parsed", "landed", "landed too", "bodies"])
def test_no_fault_in_landing_touches_another_competition(
    landing_batches: dict[str, Batch], faults: Sequence[Fault]
):
    batch = landing_batches[faults[0].name]
    sound = set(COMPETITIONS) - set(batch.planted)
    assert len(sound) >= 2
    assert not sound & {row["competition"] for row in batch.quarantined}
    assert not sound & {
        code for each in batch.report.findings if not each.success for code in each.competitions
    }
    held = {code for code, fault in batch.planted.items() if fault.severity == "block"}
    # Where most of what came for a competition is left out, it is held as well.
    most = {row["competition"] for row in batch.quarantined} | {
        code for code, fault in batch.planted.items() if fault in (*BODIES, *PARSED)
    }
    assert held <= set(batch.report.held) <= held | most
    assert batch.n_quarantined_again == len(batch.quarantined), "the same fact twice"


def test_no_fault_behind_landing_holds_another_competition(
    warehouse_batch: Batch, training_batch: Batch, prediction_batch: Batch
):
    for batch in (warehouse_batch, training_batch, prediction_batch):
        assert set(batch.report.held) == {
            code for code, fault in batch.planted.items() if fault.severity == "block"
        }


def drop_guards(connection: Connection) -> None:
    """Without the keys and constraints that would refuse what is planted: the gate is the second guard."""
    for table in ("core.match", "core.match_result", "core.match_odds", "features.match_features"):
        for row in rows(
            connection,
            "select conname as name from pg_constraint where conrelid = %s::regclass and contype in ('p', 'u')",
            (table,),
        ):
            connection.execute(f"alter table {table} drop constraint {row['name']} cascade")
        for row in rows(
            connection,
            "select indexrelid::regclass::text as name from pg_index where indrelid = %s::regclass and indisunique",
            (table,),
        ):
            connection.execute(f"drop index {row['name']}")
        for row in rows(
            connection,
            "select attname as name from pg_attribute where attrelid = %s::regclass and attnotnull and attnum > 0",
            (table,),
        ):
            connection.execute(f"alter table {table} alter column {row['name']} drop not null")


def put_facts(connection: Connection, competition: str, statement: str) -> None:
    """What another source says of a competition, in a payload of its own."""
    payload_id = scalar(
        connection,
        "insert into landing.payload (source, endpoint, observed_at, is_backfill, content_hash, n_bytes, body, run_id) "
        "values ('other', %s, %s, false, 'h', 1, 'b', 'test') returning payload_id",
        (f"matches of {competition}", FAULTY),
    )
    connection.execute(
        "insert into landing.payload_parsed values (%s, 1, 1, 0, 1, 0, 0, 0, 'test')", (payload_id,)
    )
    played, ahead = (
        [row["key"] for row in rows(connection, MATCHES_OF, (competition, day))]
        for day in ("2022-11-05", "2022-11-12")
    )
    for name, values in {":all_ahead": ahead, ":ahead": ahead[:1], ":keys": played[:1]}.items():
        statement = statement.replace(name, ", ".join(f"'{value}'::uuid" for value in values))
    statement = statement.replace(":payload", str(payload_id)).replace(":now", f"'{FAULTY.isoformat()}'")
    connection.execute(renamed(statement, competition))


def training_set(competition: str) -> pd.DataFrame:
    """Thirty matches of a competition, in order, to learn from."""
    scores = [(2, 1), (1, 1), (0, 1), (2, 0), (3, 1), (2, 2), (1, 2), (1, 0), (0, 0), (2, 1)]
    return pd.DataFrame(
        [
            {
                "match_id": f"{competition} {number}", "competition": competition, "home_goals": home,
                "away_goals": away, "outcome": 0.0 if home > away else 1.0 if home == away else 2.0,
                "home_elo": 1500.0 + number,
                "kickoff_at": pd.Timestamp(datetime(2022, 9, 1 + number % 28, 15, tzinfo=CLEAN.tzinfo)),
                "closing_price_home": 2.0, "closing_price_draw": 3.5, "closing_price_away": 4.0,
            }
            for number, (home, away) in enumerate(scores * 3)
        ]
    )  # fmt: skip


def forecast(number: int, competition: str) -> pd.DataFrame:
    """The gate's frame of one prediction in order."""
    return gate_frame(
        [
            prediction(
                match_id=f"00000000-0000-0000-0000-{number:012d}",
                competition=competition,
                scoreline_grid=[[0.5, 0.2], [0.3, 0.0]],
            )
        ]
    )
