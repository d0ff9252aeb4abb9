"""A replayed week beside the same week through Airflow; and a replay that is killed beside one that is not."""

from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from installation import RUN_SECONDS, Installation
from season_folder import write_season_folder
from table_digests import table_digests
from touchline.clock import live_clock
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.operations import names
from touchline.operations.airflow_api import AirflowApi
from touchline.operations.follow import Follower
from touchline.operations.run import start
from touchline.replay.play import MOMENT, moments_played
from touchline.replay.season import ReplayRequest, Season, find_season, replay_settings
from touchline.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

# Two trainings, two collections of prices, and results of every third day.
FIRST_ON, LAST_ON = date(2021, 9, 1), date(2021, 9, 7)
TRAIN_EVERY = 3
SAID = """
select match_id::text, kickoff_at, forecast, role, model_version, predicted_at, features_as_of, p_home, p_draw, p_away,
    expected_home_goals, expected_away_goals, scoreline_grid, feature_hash, feature_store, clock
from ledger.prediction order by predicted_at, match_id, role, forecast, model_version
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seasons")
    write_season_folder(folder, 2018, 4)
    return folder


@pytest.fixture(scope="module")
def season(folder: Path) -> Season:
    request = ReplayRequest(
        folder, 2021, from_on=FIRST_ON, to_on=LAST_ON, train_every=TRAIN_EVERY, history_seasons=3
    )
    return find_season(request, horizon_days=7)


@pytest.fixture(scope="module")
def replayed(own_installation: Installation, season: Season) -> Settings:
    """The week after an undisturbed replay."""
    done = own_installation.touchline(*command(season))
    assert done.returncode == 0, done.stderr
    return replay_settings(own_installation.settings, season)


def command(season: Season) -> list[str]:
    return [
        "replay", "--source", str(season.request.folder), "--season", "2021", "--from", FIRST_ON.isoformat(), "--to",
        LAST_ON.isoformat(), "--train-every", str(TRAIN_EVERY), "--history", "3", "--json",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def lived(replayed: Settings) -> Settings:
    """The same week through the DAGs: at each moment what a run collects, and training on the same days."""
    settings = replayed.model_copy(update={"database_name": "touchline_lived"})
    since = live_clock().as_of
    with start(settings, lambda what: None) as api:
        follower = Follower(settings, api, since, 4 * RUN_SECONDS, lambda runs, tasks: None)
        for moment in moments_played(replayed):
            live_through(api, follower, moment)
    return settings


def live_through(api: AirflowApi, follower: Follower, moment: dict[str, Any]) -> None:
    as_of = {"as_of": moment["as_of"].isoformat()}
    for dag_id in (names.COLLECT_FIXTURES, names.COLLECT_ODDS):
        api.trigger(dag_id, {**as_of, "announce": False})
        follower.until_idle()
    for dag_id in (names.COLLECT_SCORES, *([names.TRAIN_MODELS] if moment["trainings"] else [])):
        api.trigger(dag_id, as_of)
        follower.until_idle()


def said(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "model") as connection:
        return rows(connection, SAID)


def test_a_replayed_week_has_what_a_week_has(replayed: Settings):
    played = moments_played(replayed)
    assert [incident for moment in played for incident in moment["incidents"]] == []
    assert [moment["as_of"].day for moment in played if moment["as_of"].hour == 6] == list(range(1, 8))
    assert any(moment["as_of"].hour != 6 for moment in played)
    assert [moment["as_of"].day for moment in played if moment["trainings"]] == [1, 4, 7]
    assert sum(moment["n_settled"] for moment in played) > 0
    assert sum(moment["n_predictions"] for moment in played) == len(said(replayed)) > 0


def test_the_predictions_are_those_of_production_row_for_row(replayed: Settings, lived: Settings):
    assert said(replayed) == said(lived)


def test_so_is_everything_built_from_the_same_facts(replayed: Settings, lived: Settings):
    assert table_digests(replayed, ["core", "features"]) == table_digests(lived, ["core", "features"])


def test_a_replay_that_was_killed_goes_on_and_ends_as_one_that_was_not(
    own_installation: Installation, season: Season, replayed: Settings
):
    undisturbed = said(replayed)
    first = database_of(replayed)
    killed = own_installation.begin(*command(season), "--anew")
    # Whoever looks into the first one keeps it from being dropped.
    while database_of(replayed) in (first, None) or not is_predicting_again(replayed):
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.05)
    killed.kill()
    killed.communicate()
    done = own_installation.touchline(*command(season))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert said(replayed) == undisturbed
    assert told["predictions"] == len(undisturbed)
    assert told["incidents"] == []
    assert {day["on"] for day in told["days"]} == {f"2021-09-{day:02d}" for day in range(1, 8)}


def database_of(settings: Settings) -> int | None:
    """Number of the database of a replay; None while there is none."""
    with open_url(settings.admin_url) as admin:
        query = "select oid::bigint from pg_database where datname = %s"
        found: int | None = scalar(admin, query, (settings.warehouse_database,))
    return found


def is_predicting_again(settings: Settings) -> bool:
    """Whether the third day is being predicted."""
    with connect(settings, "ingest") as connection:
        if scalar(connection, "select to_regclass('ops.pipeline_run')") is None:
            return False
        n_over = scalar(
            connection,
            "select count(*) from ops.pipeline_run where step = %s and status = 'success' and as_of < '2021-09-03'",
            (MOMENT,),
        )
        running = scalar(
            connection, "select count(*) from ops.pipeline_run where step = 'predict' and status = 'running'"
        )
    return n_over >= 2 and running > 0
