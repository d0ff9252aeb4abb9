"""From landed files to findings in ops.anomaly: what is found, once, and without knowing the future."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from builders import season_csv
from databases import copy_of
from season_folder import write_season_folder
from touchline.anomalies.listing import list_anomalies, show_anomaly
from touchline.anomalies.search import AnomalyReport, find_anomalies
from touchline.cli import app
from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows, scalar
from touchline.errors import AnomalyUnknown
from touchline.landing.collect import collect
from touchline.operations import records
from touchline.operations.pipeline import run_step
from touchline.operations.steps import STEPS
from touchline.settings import Settings
from warehouse import build

pytestmark = pytest.mark.slow

# Two seasons of a small world; the second one is searched, from its start.
SEASON_START = datetime(2022, 8, 1, tzinfo=UTC)
SEASON_END = datetime(2022, 10, 15, tzinfo=UTC)


def with_faults(folder: Path) -> None:
    """A price that left the pack, and fourteen goals of one side, in the second season of E0."""
    path = folder / "2223" / "E0.csv"
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    quoted, scored = table[40], table[50]
    quoted |= {"PSH": "9.00", "PSD": "5.00", "PSA": "1.30"}
    scored["FTHG"], scored["FTR"] = "14", "H"
    path.write_bytes(season_csv(table))


@pytest.fixture(scope="module")
def built(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("anomalous-seasons")
    write_season_folder(folder, 2021, 2)
    with_faults(folder)
    settings = module_settings.model_copy(update={"source": str(folder), "as_of": SEASON_END})
    collect(settings, virtual_clock(SEASON_END), "collect")
    build(settings, SEASON_END)
    return settings


@pytest.fixture
def warehouse(built: Settings) -> Iterator[Settings]:
    with copy_of(built) as copied:
        yield copied


def search(
    settings: Settings, as_of: datetime = SEASON_END, since: datetime | None = SEASON_START
) -> AnomalyReport:
    return find_anomalies(settings, as_of, "search", since)


def findings(settings: Settings) -> list[dict[str, object]]:
    with connect(settings, "api") as connection:
        return rows(connection, "select * from ops.anomaly order by detector, subject, observed")


def test_a_wrong_price_and_a_wrong_score_are_found_and_say_what_where_how_unusual_and_what_to_do(
    warehouse: Settings,
):
    report = search(warehouse)
    found = findings(warehouse)
    assert report.n_found == report.n_new == len(found)
    price = next(each for each in found if "/PS/1x2/" in str(each["subject"]))
    assert str(price["detector"]).startswith("price_")
    assert "E0 2022/23" in str(price["place"])
    score = next(each for each in found if each["detector"] == "statistic_unusual" and each["observed"] == 14)
    assert score["what"] == "14 home goals"
    assert "median and MAD" in str(score["compared_with"])
    for each in found:
        assert each["score"] > 3
        assert each["what_to_do"]
        assert each["severity"] == "warn"
        assert each["as_of"] == SEASON_END
    assert "statistic_unusual" in report.summary


def test_a_second_search_adds_nothing(warehouse: Settings):
    search(warehouse)
    before = findings(warehouse)
    again = search(warehouse)
    assert before
    assert again.n_new == 0
    assert findings(warehouse) == before


def test_the_next_search_looks_only_at_what_became_known_since(warehouse: Settings):
    search(warehouse)
    n_found = len(findings(warehouse))
    report = search(warehouse, SEASON_END + timedelta(days=1), since=None)
    assert report.since == SEASON_END.isoformat()
    assert len(findings(warehouse)) == n_found


def test_a_search_as_of_an_earlier_day_does_not_see_what_came_later(warehouse: Settings):
    with connect(warehouse, "transform") as connection:
        wrong_known_at = scalar(connection, "select known_at from core.match_result where home_goals = 14")
    search(warehouse, as_of=wrong_known_at - timedelta(seconds=1))
    assert not [each for each in findings(warehouse) if each["observed"] == 14]
    search(warehouse, as_of=wrong_known_at, since=wrong_known_at - timedelta(days=1))
    assert [each for each in findings(warehouse) if each["observed"] == 14]


def test_the_step_of_the_pipeline_warns_and_goes_on(warehouse: Settings):
    with records.recorded(warehouse, "check_features", "run", SEASON_END) as detail:
        detail["inputs"] = {"as_of": SEASON_END.isoformat()}
    outcome = run_step(warehouse, STEPS["detect_anomalies"], "run")
    assert not outcome.is_repeat
    assert "anomalies" in outcome.summary
    assert run_step(warehouse, STEPS["detect_anomalies"], "again").is_repeat


def test_findings_are_listed_and_shown(warehouse: Settings, monkeypatch: pytest.MonkeyPatch):
    search(warehouse)
    (worst, *_) = list_anomalies(warehouse, SEASON_END, competition="E0")
    assert show_anomaly(warehouse, SEASON_END, worst.anomaly_id) == worst
    assert list_anomalies(warehouse, SEASON_START) == []
    with pytest.raises(AnomalyUnknown, match="touchline anomalies list"):
        show_anomaly(warehouse, SEASON_END, 10**9)
    for name, value in warehouse.environment().items():
        monkeypatch.setenv(name, value)
    listed = CliRunner().invoke(app, ["--json", "anomalies", "list", "--competition", "E0"])
    assert listed.exit_code == 0, listed.output
    assert json.load(io.StringIO(listed.stdout))[0]["anomaly_id"] == worst.anomaly_id
    shown = CliRunner().invoke(app, ["anomalies", "show", str(worst.anomaly_id)])
    assert worst.detector in shown.output
