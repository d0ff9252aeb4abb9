"""The pages of the track record and of the models, and the card of a version."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from psycopg.types.json import Jsonb
from starlette.testclient import TestClient

from page_text import words
from predictions import insert_prediction, insert_settled, unchecked
from served_world import EARLIER, NOW, TRAINED, World
from touchline.database.engine import Connection, connect
from touchline.monitoring.settled import Settled
from touchline.serving.charts import line_chart

pytestmark = pytest.mark.slow

CARD = "/v1/models/touchline_match_result/versions/1/card"
Serve = Callable[..., TestClient]


def record_training(connection: Connection, version: str, state: str, reason: str, **more: object) -> None:
    """What a training writes of itself to ops.pipeline_run."""
    detail = {
        "model_name": "touchline_match_result",
        "version": version,
        "state": state,
        "reason": reason,
        **more,
    }
    connection.execute(
        "insert into ops.pipeline_run (run_id, step, as_of, status, finished_at, detail) "
        "values (%s, 'train', %s, 'success', now(), %s)",
        (f"train-{version}", EARLIER, Jsonb(detail)),
    )


def test_the_track_record_is_told_by_month_confidence_and_competition(api: TestClient):
    page = words(api.get("/track-record").text)
    (row,) = api.get("/v1/track-record", params={"role": "champion"}).json()["track_record"]
    scores = f"1 {row['rps']:.4f} {row['log_loss']:.4f} {row['brier']:.4f}"
    assert f"2022-10 {scores}" in page
    assert f"Premier League {scores}" in page
    assert re.search(rf"50 to 60 % 50\.0 0\.0 {scores}", page), "said 50, did not happen"
    behind = row["log_loss_behind_closing"]
    assert (f"behind the closing market {behind:+.4f}" if behind is not None else "market &ndash;") in page


def test_a_month_of_few_matches_is_in_the_table_but_not_in_the_picture(own_world: World, serve: Serve):
    days = np.datetime64("2021-08-01") + np.array([31 * (number // 12) + number % 12 for number in range(25)])
    settled = Settled(
        days, days.astype("datetime64[us]"), np.tile([0.5, 0.3, 0.2], (25, 1)), np.tile([0.55, 0.25, 0.2], (25, 1)),
        np.zeros(25, dtype=np.int64),
    )  # fmt: skip
    with unchecked(own_world.settings) as connection:
        insert_settled(connection, settled, "touchline_match_result")
    html = serve(own_world.settings).get("/track-record").text
    assert html.count("<circle") == 2, "two months of twelve matches; one of one"
    assert len(re.findall(r"<tr><td>2021-\d\d</td>", html)) == 3


def test_filters_are_in_the_address_and_a_form_may_leave_them_empty(api: TestClient):
    everything = words(api.get("/track-record").text)
    assert words(api.get("/track-record?forecast=&competition=&season=").text) == everything
    chosen = api.get("/track-record?role=champion&competition=E0&season=2022/23&forecast=with_odds").text
    assert '<option value="E0" selected>' in chosen
    for other in ("role=challenger", "role=baseline&forecast=with_odds"):
        assert "Nothing settled here yet" in words(api.get(f"/track-record?{other}").text)
    assert "form-action 'self'" in api.get("/track-record").headers["content-security-policy"]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("competition=ZZ", "the known ones are E0"),
        ("competition=%00", "there is no competition"),
        ("season=1999/00", "the known ones are 2022/23"),
        ("forecast=elo", "the known ones are with_odds"),
        ("forecast=%00", "there is no forecast"),
        ("role=king", "query.role"),
        ("role=%00", "query.role"),
        ("rôle=champion", "there is no such parameter"),
    ],
)
def test_what_the_track_record_does_not_have_is_refused_with_what_it_has(
    api: TestClient, address: str, told: str
):
    reply = api.get(f"/track-record?{address}")
    assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")
    assert told in reply.json()["detail"]


def test_who_was_champion_when_and_why(own_world: World, serve: Serve):
    with unchecked(own_world.settings) as connection:
        for version, minutes in (("2", -30), ("2", -20), ("1", -10)):
            at = NOW + timedelta(minutes=minutes)
            insert_prediction(
                connection, match_id=own_world.unpriced, home_team="Fulham", away_team="Chelsea", predicted_at=at,
                features_as_of=at, feature_hash=f"{minutes}".rjust(64, "0"), model_version=version,
                kickoff_at=datetime(2022, 11, 3, 20, tzinfo=UTC),
            )  # fmt: skip
    with connect(own_world.settings, "ingest") as connection:
        record_training(connection, "1", "promoted", "better with probability 0.98")
        challenger = {
            "model_name": "touchline_match_result",
            "version": "2",
            "state": "challenger",
            "reason": "not yet",
        }
        record_training(connection, "3", "refused", "worse", challenger=challenger)
    page = words(serve(own_world.settings).get("/models").text)
    champions = page.partition("Champions")[2].partition("Track record")[0]
    assert re.findall(r"(\d) with_odds \d\d \w+ 2022, \d\d:\d\d (now|\d\d \w+ 2022, \d\d:\d\d) (\d)", champions) == [
        ("1", "now", "3"), ("2", "02 Nov 2022, 11:40", "2"), ("1", "01 Nov 2022, 12:00", "2"),
    ]  # fmt: skip
    assert champions.count("Promoted: better with probability 0.98.") == 2
    assert "Promoted by a person; its training said challenger: not yet." in champions


def test_a_card_says_what_a_version_learned_how_good_it_was_and_what_was_decided(
    own_world: World, serve: Serve
):
    api = serve(own_world.settings)
    card = api.get(CARD).json()
    assert (card["trained_at"], card["n_matches"], card["competitions"]) == (
        "2022-10-10T03:00:00Z",
        3650,
        ["E0", "E1"],
    )
    assert card["parameters"] == TRAINED.parameters
    assert [each["forecast"] for each in card["held_out"]] == ["with_odds", "elo"], "the best first"
    assert card["held_out"][0] == {"forecast": "with_odds", **TRAINED.scores["with_odds"]}
    assert (card["first_champion_at"], card["last_champion_at"]) == (
        "2022-10-14T12:00:00Z",
        "2022-11-02T12:00:00Z",
    )
    assert card["decision"] is None
    with connect(own_world.settings, "ingest") as connection:
        record_training(connection, "1", "promoted", "better with probability 0.98")
    assert api.get(CARD).json()["decision"] == {
        "state": "promoted", "reason": "better with probability 0.98", "decided_at": "2022-11-01T12:00:00Z",
        "run_id": "train-1",
    }  # fmt: skip
    page = words(api.get("/models").text)
    assert "Promoted: better with probability 0.98." in page
    assert "half_life_days 240" in page
    assert "with_odds 0.1949 0.9712 0.5764 54.1" in page


def test_a_card_of_a_training_before_parameters_were_recorded_says_so(own_world: World, serve: Serve):
    with connect(own_world.settings, "owner") as connection:
        connection.execute(
            "update ops.lineage_edge set detail = detail - 'parameters' - 'scores' - 'n_held_out'"
        )
    api = serve(own_world.settings)
    card = api.get(CARD).json()
    assert (card["parameters"], card["n_held_out"], card["held_out"]) == (None, None, [])
    assert "not recorded: touchline models card 1" in words(api.get("/models").text)


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("/v1/models/touchline_match_result/versions/9/card", 404, "/v1/models lists those that predict"),
        ("/v1/models/nobody/versions/1/card", 404, "there is no card of a version nobody/1"),
        ("/v1/models/touchline_match_result/versions/x/card", 422, "path.model_version"),
        ("/v1/models/%00/versions/1/card", 422, "path.model_name"),
        ("/models?version=9", 404, "those that have: 1"),
        ("/models?version=%00", 422, "query.version"),
    ],
)
def test_an_unknown_version_is_a_problem_that_says_where_to_look(
    api: TestClient, address: str, status: int, told: str
):
    reply = api.get(address)
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert told in reply.json()["detail"]


def test_a_chart_puts_times_across_and_values_up():
    january, march = datetime(2022, 1, 1, tzinfo=UTC), datetime(2022, 3, 1, tzinfo=UTC)
    chart = line_chart({"it": [(january, -0.011), (march, 0.029)]}, decimals=2)
    assert chart is not None
    (first, last) = chart.lines["it"]
    assert first[0] < last[0]
    assert first[1] > chart.zero > last[1], "pixels count from above"
    assert [text for _, text in chart.up] == ["-0.02", "-0.01", "0.00", "0.01", "0.02", "0.03"]
    assert [text for _, text in chart.across] == ["Jan 2022", "Feb 2022", "Mar 2022"]
    few = line_chart({"it": [(january, 1.0), (january + timedelta(days=9), 2.0)]})
    assert [text for _, text in few.across] == ["01 Jan 2022", "10 Jan 2022"]
    many = line_chart({"it": [(january, 1.0), (january + timedelta(days=1100), 2.0)]})
    assert [text for _, text in many.across][:3] == ["Jan 2022", "Aug 2022", "Mar 2023"]
    assert line_chart({"it": [(january, 1500.0), (march, 1500.0)]}) is not None, (
        "a flat line has a scale, too"
    )
    assert line_chart({"it": [(january, 1.0)]}) is None
    assert line_chart({}) is None
