"""Quality reports of the models: what they say is what the board says, and they are where the board finds them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from psycopg import RawCursor
from psycopg.rows import dict_row
from starlette.testclient import TestClient

from analyst_world import MONDAY, build_analyst_world
from browsing import browser
from databases import copy_of
from page_text import words
from touchline.database.engine import connect, rows
from touchline.database.queries import query
from touchline.forecasting.specs import MARKET_CLOSING, MARKET_PREMATCH
from touchline.model_reports.evidence import CHAMPION, Evidence, read_evidence
from touchline.model_reports.reporting import ModelsReported
from touchline.operations.pipeline import run_step
from touchline.operations.steps import STEPS
from touchline.registry.tracking import open_registry
from touchline.serving.model_reports import reports_folder
from touchline.serving.record_pages import LIMITS
from touchline.settings import Settings

pytestmark = pytest.mark.slow

DAY = f"{MONDAY:%Y-%m-%d}"
Serve = Callable[..., TestClient]


@pytest.fixture(scope="module")
def world(mlflow_server: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with copy_of(mlflow_server) as empty:
        settings = build_analyst_world(empty, tmp_path_factory.mktemp("seasons"))
        yield settings.model_copy(update={"as_of": MONDAY})
        shutil.rmtree(reports_folder(settings), ignore_errors=True)


@pytest.fixture
def folder(world: Settings) -> Iterator[Path]:
    yield reports_folder(world)
    shutil.rmtree(reports_folder(world), ignore_errors=True)


@pytest.fixture(scope="module")
def evidence(world: Settings) -> Evidence:
    return read_evidence(world, MONDAY, [])


def report(settings: Settings, run_id: str = "report") -> ModelsReported:
    made = run_step(settings, STEPS["report_models"], run_id).report
    assert isinstance(made, ModelsReported)
    return made


def runs_of_reports(settings: Settings) -> list[Any]:
    registry = open_registry(settings)
    experiment = registry.client.get_experiment_by_name(f"{registry.model_name} reports")
    return list(registry.client.search_runs([experiment.experiment_id]))


def test_its_figures_are_those_of_the_board(world: Settings, evidence: Evidence, folder: Path):
    report(world)
    text = words((folder / f"{DAY}.html").read_text())
    with connect(world, "model") as connection, RawCursor(connection, row_factory=dict_row) as cursor:
        parts = cursor.execute(
            query("serving/sql/record_parts"), ("champion", None, None, None, list(LIMITS))
        ).fetchall()
    settled, compared = evidence.settled, 0
    for part in parts:
        where = evidence.everything
        for column in ("competition", "month"):
            if part[column]:
                where = (settled[column] == part[column]).to_numpy()
        if part["confidence"] is not None:
            continue
        shown = {
            **{name: evidence.mean(evidence.scores[CHAMPION][name], where) for name in ("log_loss", "rps")},
            "accuracy": evidence.mean(evidence.scores[CHAMPION]["is_correct"], where),
            "log_loss_behind_closing": evidence.mean(evidence.behind(MARKET_CLOSING), where),
        }
        for name, figure in shown.items():
            assert figure is not None
            assert figure.mean.value == pytest.approx(part[name], abs=1e-12)
            assert figure.n == part["n_with_closing" if name == "log_loss_behind_closing" else "n"]
            assert figure.mean.low <= figure.mean.value <= figure.mean.high
            compared += 1
        name = part["competition"] or part["month"] or "everything"
        assert f"{name} {part['n']} {part['log_loss']:.4f} [" in text
    assert compared == 4 * (1 + settled["competition"].nunique() + settled["month"].nunique())


def test_what_is_compared_with_a_market_is_on_the_matches_that_it_prices(world: Settings, evidence: Evidence):
    with connect(world, "model") as connection:
        (expected,) = rows(
            connection,
            "select count(*) as n, avg(champion.log_loss - market.log_loss) as log_loss, "
            "avg(champion.rps - market.rps) as rps from analytics.settled_predictions as champion "
            "inner join analytics.settled_predictions as market using (match_id) "
            "where champion.role = 'champion' and market.forecast = 'market'",
        )
    for name in ("log_loss", "rps"):
        figure = evidence.mean(evidence.behind(MARKET_PREMATCH, name), evidence.everything)
        assert figure is not None
        assert (figure.n, figure.mean.value) == (expected["n"], pytest.approx(expected[name], abs=1e-12))


def test_the_worst_misses_lead_to_what_their_forecasts_came_from(
    world: Settings, evidence: Evidence, folder: Path
):
    report(world)
    html, text = ((folder / f"{DAY}.{kind}").read_text() for kind in ("html", "md"))
    worst = evidence.worst(28)
    lost = evidence.behind(MARKET_CLOSING)[evidence.since(28)]
    assert list(worst["lost"]) == sorted(lost, reverse=True)[:10]
    for row in worst.to_dict("records"):
        name, address = f"{row['home_team']} v {row['away_team']}", f"/matches/{row['match_id']}"
        assert f'<a href="{address}">{name}</a>' in html
        assert f"[{name}]({address})" in text
        assert row["prediction_id"] in html
    with connect(world, "model") as connection:
        (first,) = rows(
            connection,
            "select features from ledger.prediction where prediction_id = %s",
            (worst.iloc[0]["prediction_id"],),
        )
    prices = " / ".join(
        f"{first['features'][f'market_price_{side}']:.2f}" for side in ("home", "draw", "away")
    )
    assert prices in words(html)


def test_it_knows_nothing_of_what_was_settled_later(world: Settings):
    before = read_evidence(world, MONDAY - timedelta(seconds=1), [])
    assert before.settled.empty


def test_a_measure_that_could_not_be_judged_again_is_an_alarm_of_the_past(world: Settings):
    with copy_of(world) as settings, connect(settings, "model") as connection:
        for metric, days in (("calibration", 3), ("feature_drift", 5)):
            connection.execute(
                "insert into ops.drift_metric (run_id, metric, subject, value, threshold, is_drift, as_of, n_matches) "
                "values ('drift', %s, 'it', 5, 3, true, %s, 400)", (metric, MONDAY - timedelta(days=days)),
            )  # fmt: skip
        connection.commit()

        def last() -> dict[str, bool]:
            return {row["metric"]: row["is_last"] for row in read_evidence(settings, MONDAY, []).measured}

        assert last() == {"calibration": True, "feature_drift": True}
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of, status, finished_at, detail) "
            "values ('later', 'measure_drift', %s, 'success', now(), '{}')", (MONDAY - timedelta(days=2),),
        )  # fmt: skip
        connection.commit()
        assert last() == {"calibration": False, "feature_drift": True}


def test_the_same_instant_writes_the_same_once(world: Settings, folder: Path):
    first = report(world)
    written = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert report(world, "again") == first
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == written
    assert written.keys() == {f"{DAY}.html", f"{DAY}.md", "index.html", "index.md"}
    (run,) = runs_of_reports(world)
    assert (run.info.run_id, run.info.status) == (first.mlflow_run_id, "FINISHED")
    assert (run.data.tags["report_on"], run.data.tags["as_of"]) == (DAY, MONDAY.isoformat())


def test_a_later_one_of_the_day_takes_its_place_and_the_next_day_has_its_own(world: Settings, folder: Path):
    report(world)
    later, tomorrow = (
        report(world.model_copy(update={"as_of": MONDAY + timedelta(hours=hours)})) for hours in (1, 24)
    )
    assert [each.data.tags["as_of"] for each in runs_of_reports(world)] == [tomorrow.as_of, later.as_of]
    index = (folder / "index.md").read_text()
    assert index.index(tomorrow.report_on) < index.index(DAY)
    assert f"[{DAY}]({DAY}.html)" in index


def test_the_board_leads_to_it_wherever_it_was_written(world: Settings, folder: Path, serve: Serve):
    made = report(world)
    api = serve(world, MONDAY)
    address = f"/models/reports/{DAY}"
    assert f'href="{address}"' in api.get("/models").text
    here = api.get(address)
    assert (here.status_code, here.text) == (200, (folder / f"{DAY}.html").read_text())
    assert "img-src data:" in here.headers["content-security-policy"]
    # The API of a cluster does not see the worker's home.
    shutil.rmtree(folder)
    assert api.get(address).text == here.text
    away = world.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    reply = serve(away, MONDAY).get(address)
    assert reply.status_code == 503
    assert made.mlflow_run_id in reply.json()["detail"]
    for unknown, status in (("2022-09-18", 404), ("..%2findex", 404), ("today", 422)):
        assert api.get(f"/models/reports/{unknown}").status_code == status
    early = serve(world, MONDAY - timedelta(days=1))
    assert early.get(address).status_code == 404, "a report of tomorrow"


def test_without_a_settled_prediction_it_says_so(
    mlflow_server: Settings, fixtures_ahead: Settings, serve: Serve
):
    with copy_of(fixtures_ahead) as settings:
        given = settings.model_copy(update={"as_of": MONDAY})
        made = report(given.model_copy(update={"as_of": MONDAY + timedelta(days=60)}))
        text = words((reports_folder(given) / f"{made.report_on}.html").read_text())
        shutil.rmtree(reports_folder(given))
    assert made.n_settled == 0
    assert "No prediction of a champion is settled yet" in text
    assert "No champion has predicted yet" in text


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_accessible_and_fits(chromium: Browser, world: Settings, folder: Path, width: int):
    report(world)
    for name in (DAY, "index"):
        page = chromium.new_page(viewport={"width": width, "height": 900})
        page.goto((folder / f"{name}.html").as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert (
            page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        )
        grave = [
            each["id"]
            for each in Axe().run(page).response["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert grave == []
        page.close()
