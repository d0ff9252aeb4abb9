"""The page of a prediction: self-contained, complete, and plain about simulated football."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from databases import copy_of
from october import NOW
from predictions import insert_prediction
from touchline.cli import app
from touchline.database.engine import connect, rows
from touchline.lineage.picture import PAYLOADS_DRAWN
from touchline.lineage.report import page, svg
from touchline.lineage.trace import LineageReport, trace
from touchline.settings import Settings

pytestmark = pytest.mark.slow

OUTCOME = {
    "revision": 1, "home_goals": 2, "away_goals": 1, "outcome": "home", "rps": 0.1, "log_loss": 0.69, "brier": 0.4,
    "is_correct": True, "settled_at": NOW + timedelta(days=1), "run_id": "settle",
}  # fmt: skip


@pytest.fixture(scope="module")
def settings(october: Settings) -> Iterator[Settings]:
    with copy_of(october) as copy:
        yield copy


@pytest.fixture(scope="module")
def report(settings: Settings) -> LineageReport:
    with connect(settings, "model") as connection:
        (match,) = rows(
            connection, "select match_id::text as match_id, kickoff_at from core.match where not is_played"
        )
        made = insert_prediction(
            connection, **match, home_team="Leeds", away_team="Arsenal", predicted_at=NOW, features_as_of=NOW,
            features={"home_elo": 1512.5, "away_elo": None},
        )  # fmt: skip
    return trace(settings, made)


def test_the_page_loads_nothing_and_names_everything(report: LineageReport):
    html = page(report, None)
    assert not re.search(r"(src|href)\s*=|@import|url\(|<script", html)
    for match in [*report.home_matches, *report.away_matches]:
        assert f"payload {match['payload_id']} row {match['row_number']}" in html
    for payload in report.payloads:
        assert payload["content_hash"] in html
    assert "1512.5" in html
    assert "unknown" in html
    assert "not settled yet" in html


def test_every_box_of_the_picture_is_tied_to_the_prediction(report: LineageReport):
    picture = ElementTree.fromstring(svg(report, None))
    boxes = picture.findall(".//{*}g")
    assert len(boxes) == len(report.payloads) + 4 + 5 + 4
    inside = float(picture.attrib["viewBox"].split()[3])
    for box in picture.findall(".//{*}rect"):
        assert float(box.attrib["y"]) + float(box.attrib["height"]) <= inside


def test_many_payloads_are_drawn_as_few(report: LineageReport):
    many = [{**report.payloads[0], "payload_id": 100 + number} for number in range(40)]
    matches = [{**report.home_matches[0], "payload_id": 100 + number} for number in range(40)]
    picture = svg(replace(report, payloads=[*many, *report.payloads], home_matches=matches), None)
    assert len(re.findall(r'class="box c0', picture)) == PAYLOADS_DRAWN + 1
    assert f"{42 - PAYLOADS_DRAWN} more payloads" in picture


def test_a_settled_prediction_shows_what_it_came_to_and_what_its_model_learned_from(report: LineageReport):
    html = page(replace(report, outcome=OUTCOME), {"n_matches": "6840", "as_of": "2022-11-01"})
    assert "2-1 (home)" in html
    assert "of 6,840 matches" in html


def test_simulated_football_is_called_so_on_the_page_and_in_the_picture(report: LineageReport):
    simulated = replace(report, prediction={**report.prediction, "is_simulated": True})
    assert "SIMULATED" in svg(simulated, None)
    assert page(simulated, None).count("SIMULATED") >= 3
    assert "SIMULATED" not in page(report, None)


def test_names_cannot_break_the_page(report: LineageReport):
    html = page(replace(report, prediction={**report.prediction, "home_team": "<b>&Sons"}), None)
    assert "<b>&Sons" not in html
    assert "&lt;b&gt;&amp;Sons" in html


def test_the_command_writes_the_page(
    settings: Settings, report: LineageReport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "pages" / "one.html"
    done = CliRunner().invoke(app, ["lineage", report.prediction["prediction_id"], "--report", str(path)])
    assert done.exit_code == 0, done.output
    assert "Leeds v Arsenal" in path.read_text()
