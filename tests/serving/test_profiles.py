"""Profiles of users, and what they see of their favourites."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from served_world import NOW, World
from touchline.accounts import key_cache, keys
from touchline.accounts.profiles import Profile
from touchline.database.engine import connect, rows
from touchline.settings import Settings

pytestmark = pytest.mark.slow

PROFILE, PREDICTIONS, ALERTS = "/v1/me/profile", "/v1/me/predictions", "/v1/me/alerts"
ATTACKS = [
    "\x00",
    "E0\x00",
    "'; drop table ops.user_profile; --",
    "../../../etc/localtime",
    "\ud800",
    "a" * 101,
    "",
]

Client = Callable[..., TestClient]


@pytest.fixture
def settings_of(module_world: World) -> Settings:
    return module_world.settings


@pytest.fixture
def client(settings_of: Settings, serve: Callable[..., TestClient]) -> Client:
    """A client with a key of its own, at a present of the run clock."""

    def made(now: datetime = NOW) -> TestClient:
        at = datetime.now(UTC)
        with connect(settings_of, "owner") as connection:
            key = keys.create(connection, "a fan", ["read", "profile"], at, at + timedelta(days=1))
        api = serve(settings_of, now)
        api.headers["Authorization"] = f"Bearer {key.key}"
        return api

    return made


def put(api: TestClient, **profile: Any) -> dict[str, Any]:
    reply = api.put(PROFILE, json=profile)
    assert reply.status_code == 200, reply.text
    return reply.json()["profile"]


def test_a_profile_is_what_was_last_put(client: Client):
    api, other = client(), client()
    first = api.get(PROFILE).json()
    assert first["updated_at"] is None
    assert first["profile"] == Profile().model_dump()
    given = {
        "competitions": ["E0"], "teams": ["Arsenal", "Leeds"], "time_zone": "America/New_York",
        "odds_format": "american", "language": "pt_BR",
        "alerts": {"kickoff_soon_minutes": 60, "prediction_moved": 0.05, "settled_hours": 24},
    }  # fmt: skip
    assert put(api, **given) == given
    assert api.get(PROFILE).json()["profile"] == given
    assert put(api, teams=["Leeds"]) == Profile(teams=["Leeds"]).model_dump()
    assert other.get(PROFILE).json()["profile"] == Profile().model_dump()
    assert api.head(PROFILE).status_code == 200
    for path in (PROFILE, PREDICTIONS, ALERTS):
        assert api.get(path).headers["cache-control"] == "no-store", path


@pytest.mark.parametrize(
    ("profile", "where", "told"),
    [
        ({"competitions": ["E0", "e0"]}, ["body", "competitions", 1], "did you mean E0? allowed are "),
        ({"teams": ["Arsenl"]}, ["body", "teams", 0], "did you mean Arsenal? allowed are"),
        ({"time_zone": "Europe/Londn"}, ["body", "time_zone"], "did you mean Europe/London?"),
        ({"time_zone": "europe/london"}, ["body", "time_zone"], "did you mean Europe/London?"),
        ({"language": "pt-BR"}, ["body", "language"], "did you mean pt_BR? allowed are ar, bg"),
        ({"odds_format": "hongkong"}, ["body", "odds_format"], "'decimal', 'fractional' or 'american'"),
        ({"alerts": {"prediction_moved": 1.5}}, ["body", "alerts", "prediction_moved"], "less than 1"),
        ({"alerts": {"goal": True}}, ["body", "alerts", "goal"], "not permitted"),
        ({"team": ["Arsenal"]}, ["body", "team"], "not permitted"),
        ({"teams": ["Arsenal"] * 101}, ["body", "teams"], "at most 100"),
    ],
)
def test_what_nobody_knows_is_refused_with_the_nearest_and_nothing_is_written(
    client: Client, profile: dict[str, Any], where: list[Any], told: str
):
    api = client()
    reply = api.put(PROFILE, json=profile)
    assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")
    assert told in reply.json()["detail"]
    assert [error["loc"] for error in reply.json()["errors"]] == [where]
    assert api.get(PROFILE).json()["updated_at"] is None


def test_everything_unknown_is_told_at_once(client: Client):
    reply = client().put(PROFILE, json={"competitions": ["X9"], "teams": ["Nobody"], "time_zone": "Moon"})
    assert [error["loc"][1] for error in reply.json()["errors"]] == ["competitions", "teams", "time_zone"]


@pytest.mark.parametrize("field", ["competitions", "teams", "time_zone", "odds_format", "language"])
@pytest.mark.parametrize("text", ATTACKS, ids=ascii)
def test_an_attack_on_a_profile_is_refused(client: Client, field: str, text: str):
    api = client()
    value = [text] if field in ("competitions", "teams") else text
    reply = api.put(PROFILE, content=json.dumps({field: value}), headers={"Content-Type": "application/json"})
    assert reply.status_code == 422, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert api.get(PROFILE).json()["profile"] == Profile().model_dump()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"{",
        b"[" * 60_000,
        b"[" * 900 + b"]" * 900,
        b'{"teams": ' + b"[" * 900 + b"]" * 900 + b"}",
        b"nul",
        b'{"alerts": {"prediction_moved": NaN}}',
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_a_body_that_is_no_profile_is_refused(client: Client, body: bytes):
    reply = client().put(PROFILE, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code in (400, 422)
    assert reply.headers["content-type"] == "application/problem+json"


def test_predictions_of_favourites_come_as_the_user_reads_them_beside_what_they_are(
    client: Client, module_world: World
):
    api = client()
    assert api.get(PREDICTIONS).json()["predictions"] == []
    put(api, teams=["Arsenal"], time_zone="Asia/Kolkata", odds_format="fractional", language="de")
    reply = api.get(PREDICTIONS).json()
    (found,) = reply["predictions"]
    assert (reply["total"], reply["as_of"]) == (1, "2022-11-02T12:00:00Z")
    assert found["prediction_id"] == module_world.ids["new"]
    assert found["kickoff_at"] == "2022-11-02T15:00:00Z"
    assert found["kickoff_local"] == "2022-11-02T20:30:00+05:30"
    assert found["kickoff_written"] == "Mi. 2 Nov. 2022, 20:30 +0530"
    assert found["probabilities"] == {"home": 0.5, "draw": 0.3, "away": 0.2}
    assert found["probabilities_written"] == {"home": "50,0\xa0%", "draw": "30,0\xa0%", "away": "20,0\xa0%"}
    assert found["fair_prices"] == {"home": 2.0, "draw": 3.3333, "away": 5.0}
    assert found["fair_prices_written"] == {"home": "1/1", "draw": "7/3", "away": "4/1"}
    assert set(found["best_prices"].values()) != {None}
    put(api, teams=["Arsenal"], odds_format="american")
    (american,) = api.get(PREDICTIONS).json()["predictions"]
    assert american["fair_prices_written"] == {"home": "+100", "draw": "+233", "away": "+400"}
    put(api, teams=["Arsenal"], language="fr")
    (decimal,) = api.get(PREDICTIONS).json()["predictions"]
    assert decimal["fair_prices_written"] == {"home": "2,00", "draw": "3,33", "away": "5,00"}
    assert decimal["fair_prices"] == found["fair_prices"]


def test_a_favourite_competition_has_all_its_fixtures_each_once(client: Client, module_world: World):
    api = client()
    put(api, competitions=["E0"], teams=["Arsenal"])
    reply = api.get(PREDICTIONS).json()
    # The third fixture has no prediction.
    assert reply["total"] == 3
    assert [each["prediction_id"] for each in reply["predictions"]] == [
        module_world.ids["new"], module_world.ids["unpriced"],
    ]  # fmt: skip
    assert len(api.get(f"{PREDICTIONS}?limit=1").json()["predictions"]) == 1
    assert api.get(f"{PREDICTIONS}?limit=0").status_code == 422


def kinds(api: TestClient) -> list[tuple[str, str]]:
    reply = api.get(ALERTS)
    assert reply.status_code == 200, reply.text
    return [(alert["kind"], alert["home_team"]) for alert in reply.json()["alerts"]]


def test_alerts_are_those_that_apply_at_the_present_of_the_run_clock(client: Client):
    api = client()
    put(api, competitions=["E0"])
    assert kinds(api) == []
    # Leeds against Arsenal kicks off in three hours, and its home win went from 0.4 to 0.5 with the last prediction.
    put(api, competitions=["E0"], alerts={"kickoff_soon_minutes": 179})
    assert kinds(api) == []
    put(api, competitions=["E0"], alerts={"kickoff_soon_minutes": 180, "prediction_moved": 0.09})
    assert kinds(api) == [("kickoff_soon", "Leeds"), ("prediction_moved", "Leeds")]
    soon, moved = api.get(ALERTS).json()["alerts"]
    assert soon["written"].startswith("Leeds - Arsenal kicks off Wed")
    assert moved["written"] == "Leeds - Arsenal moved by 10.0%"
    assert moved["moved_by"] == pytest.approx(0.1)
    assert (moved["before"]["home"], moved["probabilities"]["home"]) == (0.4, 0.5)
    put(api, competitions=["E0"], alerts={"prediction_moved": 0.11})
    assert kinds(api) == []
    put(api, teams=["Chelsea"], alerts={"kickoff_soon_minutes": 180, "prediction_moved": 0.09})
    assert kinds(api) == []


def test_what_was_settled_is_told_for_as_long_as_the_user_wants(client: Client, settings_of: Settings):
    with connect(settings_of, "owner") as connection:
        (row,) = rows(connection, "select max(settled_at) as at from ledger.prediction_outcome")
    for hours, expected in ((0.5, [("settled", "Everton")]), (2, [])):
        api = client(row["at"] + timedelta(hours=hours))
        put(api, teams=["Burnley"], alerts={"settled_hours": 1})
        assert kinds(api) == expected
    put(api, teams=["Burnley"], alerts={"settled_hours": 3})
    (settled,) = api.get(ALERTS).json()["alerts"]
    assert settled["written"].startswith(
        f"Everton - Burnley ended {settled['home_goals']}:{settled['away_goals']}, "
    )
    assert settled["is_correct"] is (settled["outcome"] == "home")


def test_a_profile_belongs_to_the_key_and_not_to_its_secret(
    client: Client, settings_of: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(key_cache, "KEPT_SECONDS", 0)
    api = client()
    put(api, teams=["Leeds"])
    with connect(settings_of, "owner") as connection:
        new = keys.rotate(connection, api.get(PROFILE).json()["key"], datetime.now(UTC), timedelta(hours=1))
    api.headers["Authorization"] = f"Bearer {new.key}"
    assert api.get(PROFILE).json()["profile"]["teams"] == ["Leeds"]
    assert sorted(api.delete(PROFILE).headers["allow"].split(", ")) == ["GET", "HEAD", "PUT"]
