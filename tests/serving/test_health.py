"""What operators see: liveness, readiness, measures; and what everybody sees while something is missing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import asyncpg
import pytest
from starlette.testclient import TestClient

from predictions import insert_prediction
from served_world import EARLIER, LATER, NOW, World
from touchline.database import bootstrap
from touchline.database.engine import connect, open_url, rows
from touchline.errors import DatabaseUnavailable
from touchline.serving import database
from touchline.serving.database import Reader
from touchline.settings import Settings
from touchline.warehouse.build import build_layer

pytestmark = pytest.mark.slow

UPCOMING = "/v1/predictions/upcoming"
READY = "/v1/health/ready"
Serve = Callable[..., TestClient]


def measures(client: TestClient) -> dict[str, float]:
    lines = [line for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def run(settings: Settings, step: str, as_of: datetime, status: str = "success") -> None:
    """Record a run of a step that has just ended."""
    with connect(settings, "transform") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of, finished_at, status) "
            "values (%s, %s, %s, clock_timestamp(), %s)",
            (f"{step} {as_of}", step, as_of, status),
        )


def predict_the_third(settings: Settings) -> None:
    """Then every fixture of the world is predicted."""
    with connect(settings, "model") as connection:
        query = "select match_id, kickoff_at from core.match where home_team = 'Burnley' and away_team = 'Everton'"
        (third,) = rows(connection, f"{query} and status = 'scheduled'")
        insert_prediction(
            connection,
            **third,
            home_team="Burnley",
            away_team="Everton",
            predicted_at=NOW,
            features_as_of=NOW,
        )


def test_ready_when_predictions_can_be_served(own_world: World, serve: Serve):
    predict_the_third(own_world.settings)
    reply = serve(own_world.settings, LATER + timedelta(minutes=30)).get(READY)
    assert reply.status_code == 200
    state = reply.json()
    assert (state["status"], state["reasons"], state["warnings"], state["shortfalls"]) == ("ok", [], [], [])
    assert state["prediction_age_seconds"] == 1800


def test_ready_says_of_every_service_whether_it_answers(own_world: World, serve: Serve):
    asked: list[str] = []

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if len(asked) == 1 else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as registry:
        Thread(target=registry.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{registry.server_port}"
        client = serve(own_world.settings.model_copy(update={"mlflow_tracking_uri": address}))
        database, models = client.get(READY).json()["services"]
        assert (database["name"], database["is_ok"], database["latency_ms"] > 0) == ("database", True, True)
        assert (models["name"], models["is_ok"], models["detail"]) == ("registry", True, "")
        for _ in range(3):
            reply = client.get(READY)
            _, models = reply.json()["services"]
            assert (reply.status_code, models["is_ok"], "503" in models["detail"]) == (200, False, True)
        assert "not asked again for" in models["detail"]
        assert models["latency_ms"] is None
        assert asked == ["/health"] * 2
        registry.shutdown()


def test_up_but_nothing_new_is_told_from_up(own_world: World, serve: Serve):
    predict_the_third(own_world.settings)
    assert serve(own_world.settings, LATER + timedelta(hours=26)).get(READY).json()["status"] == "ok"
    client = serve(own_world.settings, LATER + timedelta(hours=31))
    reply = client.get(READY)
    assert (reply.status_code, reply.json()["status"]) == (200, "degraded")
    (stale,) = reply.json()["shortfalls"]
    assert (stale["kind"], stale["since"]) == ("stale", "2022-11-02T14:00:00Z")
    assert stale["message"].startswith("nothing new for 31 hours")
    assert "Nothing new for 31 hours" in client.get("/").text
    run(own_world.settings, "predict", LATER + timedelta(hours=30))
    assert client.get(READY).json()["status"] == "ok", "a look that finds nothing to write is a look"


def test_not_ready_before_the_warehouse_is_built(settings: Settings, serve: Serve):
    client = serve(settings)
    reply = client.get(READY)
    assert (reply.status_code, reply.json()["status"]) == (503, "not ready")
    assert "make run" in reply.json()["reasons"][0]
    upcoming = client.get(UPCOMING)
    assert (upcoming.status_code, upcoming.headers["content-type"]) == (503, "application/problem+json")
    assert "make run" in upcoming.json()["detail"]
    board = client.get("/")
    assert (board.status_code, board.headers["retry-after"]) == (503, "5")
    assert "Nothing to show yet" in board.text
    assert "make run" in board.text


@pytest.mark.parametrize("revision", ["base", "0002"])
def test_not_ready_when_the_database_is_not_migrated(settings: Settings, serve: Serve, revision: str):
    bootstrap.downgrade(settings, revision)
    reply = serve(settings).get(READY)
    assert reply.status_code == 503
    assert "not migrated" in reply.json()["reasons"][0]


def test_alive_but_not_ready_when_no_database_answers(tmp_path: Path, serve: Serve):
    client = serve(Settings(home=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/postgres"))
    assert client.get("/v1/health/live").json() == {"status": "ok"}
    assert "touchline up" in client.get(READY).json()["reasons"][0]
    for path in (UPCOMING, "/v1/models"):
        reply = client.get(path)
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
        assert "does not answer" in reply.json()["detail"]
    board = client.get("/")
    assert (board.status_code, board.headers["retry-after"]) == (503, "5")
    assert board.headers["content-type"].startswith("text/html")
    assert '<h2 class="bad">No answer from the database</h2>' in board.text
    assert "make status" in board.text


def test_a_database_that_is_lost_while_the_state_is_read_is_told_as_one_that_does_not_answer(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "STATEMENT_TIMEOUT", "200ms")
    client = serve(world.settings)
    with connect(world.settings, "owner") as owner:
        owner.execute("lock table ops.quality_result in access exclusive mode")
        ready, board = client.get(READY), client.get("/")
    assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
    assert "took longer" in ready.json()["reasons"][0]
    assert (board.status_code, "No answer from the database" in board.text) == (503, True)


def test_broken_connections_are_replaced_unnoticed(world: World, api: TestClient):
    assert api.get(UPCOMING).status_code == 200
    with open_url(world.settings.admin_url, autocommit=True) as admin:
        ended = admin.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where application_name = 'touchline-api' and datname = %s",
            (world.settings.warehouse_database,),
        ).fetchone()
    assert ended is not None
    assert ended[0] >= 1
    assert api.get(UPCOMING).status_code == 200


def test_a_rebuild_of_the_warehouse_is_not_noticed(own_world: World, serve: Serve):
    api = serve(own_world.settings)
    before = api.get(f"/v1/matches/{own_world.priced}").json()
    build_layer(own_world.settings, "core", NOW, "rebuild")
    assert api.get(f"/v1/matches/{own_world.priced}").json() == before


def test_a_simulated_world_that_stands_still_has_the_time_of_its_last_run(own_world: World, serve: Serve):
    client = serve(own_world.settings, None)
    assert client.get(UPCOMING).status_code == 503
    assert "touchline up" in client.get(READY).json()["reasons"][0]
    run(own_world.settings, "predict", NOW)
    assert len(client.get(UPCOMING).json()["predictions"]) == 2
    state = client.get(READY).json()
    assert (state["status"], state["last_steps"]) == ("degraded", {"predict": "2022-11-02T12:00:00Z"})
    assert "time is that of the last run" in state["warnings"][0]


def test_what_is_served_follows_the_newest_run(own_world: World, serve: Serve):
    client = serve(own_world.settings, NOW)
    later = NOW + timedelta(days=14)
    run(own_world.settings, "build_analytics", later - timedelta(days=7))
    run(own_world.settings, "settle", later)
    run(own_world.settings, "predict", later + timedelta(days=1), status="failed")
    state = client.get(READY).json()
    assert (state["as_of"], state["last_steps"]["settle"]) == ("2022-11-16T12:00:00Z",) * 2
    assert state["prediction_age_seconds"] == (later - LATER).total_seconds()
    assert client.get(UPCOMING).json()["as_of"] == state["as_of"]
    assert "as of Wed 16 Nov 2022, 12:00 UTC" in client.get("/").text


def test_a_build_that_goes_back_in_time_is_served_as_of_then(own_world: World, serve: Serve):
    run(own_world.settings, "settle", NOW + timedelta(days=14))
    run(own_world.settings, "build_analytics", NOW)
    client = serve(own_world.settings, EARLIER)
    state = client.get(READY).json()
    assert (state["as_of"], state["prediction_age_seconds"]) == ("2022-11-02T12:00:00Z", 0)
    assert re.search(r"settle</td><td>14 days ahead", client.get("/").text)


def test_a_fixture_ahead_that_nobody_predicted_makes_it_degraded(own_world: World, serve: Serve):
    client = serve(own_world.settings)
    reply = client.get(READY)
    assert (reply.status_code, reply.json()["status"]) == (200, "degraded")
    (missing,) = reply.json()["shortfalls"]
    assert (missing["kind"], missing["subject"], missing["n"]) == ("unpredicted", "waiting", 1)
    assert "touchline predict" in missing["what_to_do"]
    predict_the_third(own_world.settings)
    assert client.get(READY).json()["status"] == "ok"


def test_measures_count_requests_by_route_and_tell_nothing_else(world: World, serve: Serve):
    client = serve(world.settings)
    for _ in range(3):
        client.get(f"/v1/matches/{world.priced}")
    client.get("/v1/matches/nonsense")
    client.get("/nothing/here")
    found = measures(client)
    count = 'touchline_api_requests_total{{method="GET",route="{}",status="{}"}}'
    assert found[count.format("/v1/matches/{match_id}", 200)] == 3
    assert found[count.format("/v1/matches/{match_id}", 422)] == 1
    assert found[count.format("other", 404)] == 1
    assert found['touchline_api_request_seconds_count{route="/v1/matches/{match_id}"}'] == 4
    within = 'touchline_api_request_seconds_bucket{{le="{}",route="/v1/matches/{{match_id}}"}}'
    assert 0 <= found[within.format(0.005)] <= found[within.format(0.2)] <= found[within.format("+Inf")] == 4
    assert {name.partition("{")[0].removeprefix("touchline_api_") for name in found} == {
        "requests_total", "request_seconds_bucket", "request_seconds_count", "request_seconds_sum",
    }  # fmt: skip


def test_a_statement_that_takes_too_long_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "STATEMENT_TIMEOUT", "50ms")

    async def read() -> None:
        reader = Reader(world.settings)
        try:
            await reader.rows("select pg_sleep(60)")
        finally:
            await reader.close()

    with pytest.raises(DatabaseUnavailable, match="longer than 50ms"):
        asyncio.run(read())


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("delete from ledger.prediction", asyncpg.ReadOnlySQLTransactionError),
        ("create table analytics.mine (x int)", asyncpg.ReadOnlySQLTransactionError),
        (
            "set default_transaction_read_only = off; delete from ledger.prediction",
            asyncpg.InsufficientPrivilegeError,
        ),
        (
            "set default_transaction_read_only = off; create table analytics.mine (x int)",
            asyncpg.InsufficientPrivilegeError,
        ),
        ("select * from landing.payload", asyncpg.InsufficientPrivilegeError),
    ],
)
def test_the_api_can_only_read_and_not_everything(world: World, statement: str, refusal: type[Exception]):
    async def run() -> None:
        reader = Reader(world.settings)
        try:
            pool = await reader._connected()
            async with pool.acquire() as connection:
                for part in statement.split(";"):
                    await connection.execute(part)
        finally:
            await reader.close()

    with pytest.raises(refusal):
        asyncio.run(run())


def test_an_error_of_ours_shows_nothing_of_the_inside(api: TestClient, monkeypatch: pytest.MonkeyPatch):
    async def fail(*_: object) -> list[object]:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(Reader, "rows", fail)
    reply = api.get("/v1/models")
    assert (reply.status_code, reply.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in reply.text


def test_the_state_of_every_source_is_told(settings: Settings, serve: Serve):
    with connect(settings, "ingest") as connection:
        connection.execute(
            "insert into ops.source_state (source, circuit, n_failures, last_success_as_of, last_error, "
            "remaining_credits) values ('the_odds_api', 'open', 8, %s, 'status 500', 412)",
            (NOW,),
        )
        connection.execute(
            "insert into ops.source_usage values ('the_odds_api', %s, 30, 90, 8)", (NOW.date(),)
        )
    client = serve(settings)
    (source,) = client.get("/v1/sources").json()["sources"]
    assert (source["source"], source["circuit"], source["n_failures"]) == ("the_odds_api", "open", 8)
    assert (source["remaining_credits"], source["n_calls"], source["n_credits"]) == (412, 30, 90)
