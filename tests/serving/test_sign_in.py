"""A browser signs in with a key, and sees the board as its user's profile says."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from served_world import NOW, World
from touchline.accounts import key_cache, keys
from touchline.accounts.keys import NewKey
from touchline.accounts.sessions import COOKIE, VALID_SECONDS, issue
from touchline.database.engine import connect, rows
from touchline.serving.app import create_app
from touchline.settings import Access

pytestmark = pytest.mark.slow

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
MODELS = "/v1/models"
PROFILE = {
    "teams": ["Chelsea"], "time_zone": "Asia/Tokyo", "odds_format": "fractional", "language": "de",
}  # fmt: skip


@pytest.fixture
def make(module_world: World) -> Callable[..., NewKey]:
    """Makes a key that is valid for a day; by default it reads and has a profile."""

    def made(*scopes: str) -> NewKey:
        at = datetime.now(UTC)
        with connect(module_world.settings, "owner") as connection:
            return keys.create(
                connection, "somebody", scopes or ("read", "profile"), at, at + timedelta(days=1)
            )

    return made


@pytest.fixture
def start(module_world: World, serve: Callable[..., TestClient]) -> Callable[..., TestClient]:
    """Starts the application; without settings of access it answers nobody who has no key."""

    def started(**access: Any) -> TestClient:
        given = Access(**{"anonymous": False, **access})
        return serve(module_world.settings.model_copy(update={"access": given}))

    return started


def sign_in(api: TestClient, key: NewKey | str, **more: str) -> Response:
    sent = {"key": key if isinstance(key, str) else key.key, **more}
    return api.post("/sign-in", data=sent, follow_redirects=False)


def test_a_browser_without_a_key_is_asked_for_one_and_then_sees_the_page(
    start: Callable[..., TestClient], make: Callable[..., NewKey], module_world: World
):
    api = start()
    page = f"/matches/{module_world.priced}"
    asked = api.get(f"{page}?x=%22", headers=BROWSER)
    assert (asked.status_code, asked.headers["cache-control"]) == (401, "no-store")
    assert "form-action 'self'" in asked.headers["content-security-policy"]
    assert f'name="to" value="{page}?x=%22"' in asked.text
    assert "Leeds" not in asked.text
    assert api.get(page).json()["status"] == 401, "a program gets a problem"
    assert api.get(MODELS, headers=BROWSER).json()["status"] == 401

    key = make()
    reply = sign_in(api, key, to=page)
    assert (reply.status_code, reply.headers["location"]) == (303, page)
    cookie = reply.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={VALID_SECONDS}"} <= set(cookie.split("; "))
    assert "Secure" not in cookie, "plain HTTP"
    assert key.key.partition(key.prefix)[2] not in cookie
    shown = api.get(page, headers=BROWSER)
    assert "Leeds" in shown.text
    assert key.prefix in shown.text
    assert api.get(MODELS).status_code == 200, "what pages lead to"


def test_over_https_the_cookie_is_sent_over_https_alone(
    start: Callable[..., TestClient], make: Callable[..., NewKey]
):
    api = start()
    api.base_url = "https://testserver"
    assert "Secure" in sign_in(api, make()).headers["set-cookie"].split("; ")


def test_who_signs_out_is_nobody_again(start: Callable[..., TestClient], make: Callable[..., NewKey]):
    api = start()
    sign_in(api, make())
    assert api.get("/").status_code == 200
    reply = api.post("/sign-out", follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert COOKIE not in api.cookies
    assert api.get("/", headers=BROWSER).status_code == 401


def test_a_session_writes_nothing_and_another_site_begins_none(
    start: Callable[..., TestClient], make: Callable[..., NewKey]
):
    api, key = start(anonymous=True), make()
    sign_in(api, key)
    assert api.get("/v1/me/profile").json()["key"] == key.prefix
    assert api.put("/v1/me/profile", json=PROFILE).status_code == 401
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
    ):
        for path in ("/sign-in", "/sign-out"):
            reply = api.post(path, data={"key": key.key}, headers=headers, follow_redirects=False)
            assert reply.status_code == 403, headers
            assert "set-cookie" not in reply.headers
    for headers in (
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "http://testserver"},
    ):
        reply = api.post("/sign-in", data={"key": key.key}, headers=headers, follow_redirects=False)
        assert reply.status_code == 303, headers


@pytest.mark.parametrize(
    "to",
    [
        "//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example", "javascript:alert(1)", "",
        "/\t/elsewhere.example", "/ok\r\nSet-Cookie: a=b", "matches",
    ],
)  # fmt: skip
def test_signing_in_leads_to_nobody_else(
    start: Callable[..., TestClient], make: Callable[..., NewKey], to: str
):
    reply = sign_in(start(), make(), to=to)
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert reply.headers["set-cookie"].startswith(COOKIE)


@pytest.mark.parametrize(
    "text", ["", "tl_aaaaaaaa", "tl_aaaaaaaa_" + "a" * 43, "'; drop table", "\x00", "é" * 50]
)
def test_what_is_no_key_signs_nobody_in(start: Callable[..., TestClient], text: str):
    reply = sign_in(start(), text)
    assert (reply.status_code, "set-cookie" in reply.headers) == (401, False)
    assert "This key is not" in reply.text


def test_a_key_that_may_not_read_signs_nobody_in(
    start: Callable[..., TestClient], make: Callable[..., NewKey]
):
    assert "may not read" in sign_in(start(), make("profile")).text


@pytest.mark.parametrize("damage", ["prefix", "end", "signature", "nonsense"])
def test_a_session_that_was_not_issued_opens_nothing(
    start: Callable[..., TestClient], make: Callable[..., NewKey], damage: str
):
    api, other = start(), make()
    sign_in(api, make())
    prefix, ends, signature = api.cookies[COOKIE].split(".")
    forged = {
        "prefix": f"{other.prefix}.{ends}.{signature}",
        "end": f"{prefix}.{int(ends) + 1}.{signature}",
        "signature": f"{prefix}.{ends}.{'0' * 64}",
        "nonsense": '"; drop table ops.api_key',
    }[damage]
    api.cookies.clear()
    reply = api.get("/", headers={**BROWSER, "Cookie": f"{COOKIE}={forged}"})
    assert reply.status_code == 401
    assert start(anonymous=True).get("/", headers={"Cookie": f"{COOKIE}={forged}"}).status_code == 200


def test_a_session_ends_with_its_key_and_by_itself(
    start: Callable[..., TestClient],
    make: Callable[..., NewKey],
    module_world: World,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(key_cache, "KEPT_SECONDS", 0)
    api, revoked, rotated = start(), make(), make()
    at = datetime.now(UTC)
    sign_in(api, rotated)
    with connect(module_world.settings, "owner") as connection:
        keys.rotate(connection, rotated.prefix, at, timedelta(0))
    assert api.get("/").status_code == 401
    sign_in(api, revoked)
    assert api.get("/").status_code == 200
    session = api.cookies[COOKIE]
    with connect(module_world.settings, "owner") as connection:
        keys.revoke(connection, revoked.prefix, at)
    assert api.get("/", headers={"Cookie": f"{COOKIE}={session}"}).status_code == 401


def test_without_the_password_of_the_installation_nobody_signs(
    start: Callable[..., TestClient], make: Callable[..., NewKey], module_world: World
):
    api, key = start(), make()
    secret = keys.digest_of(key.key.partition(key.prefix)[2][1:])
    statuses = []
    for password in (module_world.settings.secrets["access"], "a guess"):
        session = issue(key.prefix, secret, password, time.time())
        statuses.append(api.get("/", headers={"Cookie": f"{COOKIE}={session}"}).status_code)
    session = issue(key.prefix, secret, module_world.settings.secrets["access"], time.time() - VALID_SECONDS)
    statuses.append(api.get("/", headers={"Cookie": f"{COOKIE}={session}"}).status_code)
    assert statuses == [200, 401, 401], "the last one has ended"


def test_signing_in_is_in_the_audit_log_and_counts(
    start: Callable[..., TestClient], make: Callable[..., NewKey], module_world: World
):
    key = make()
    api = start(address_limit="3/year")
    assert [sign_in(api, "tl_" + "b" * 8 + "_" + "a" * 43).status_code for _ in range(2)] == [401, 401]
    assert sign_in(api, key).status_code == 303
    assert sign_in(api, key).status_code == 429
    api.get("/")
    api.__exit__(None, None, None)
    with connect(module_world.settings, "owner") as connection:
        found = rows(connection, "select route, status from ops.api_key_use where prefix = %s", (key.prefix,))
    assert {(each["route"], each["status"]) for each in found} == {("/sign-in", 303), ("/", 200)}


def test_the_board_is_as_the_profile_says(
    start: Callable[..., TestClient], make: Callable[..., NewKey], module_world: World
):
    api, key = start(anonymous=True), make()
    written = api.put("/v1/me/profile", json=PROFILE, headers={"Authorization": f"Bearer {key.key}"})
    assert written.status_code == 200
    sign_in(api, key)
    board = api.get("/").text
    plain = " ".join(re.sub(r"<[^>]+>", " ", board).split())
    assert "as of Mi. 02 Nov. 2022, 21:00" in plain
    assert re.search(
        r"Your favourites Freitag, 04 November 2022 05:00 E0 Fulham v Chelsea .* "
        r"Others Donnerstag, 03 November 2022 00:00 E0 Leeds v Arsenal",
        plain,
    )
    assert "0,1450" in plain, "RPS"
    assert "times in Asia/Tokyo" in plain
    match = " ".join(re.sub(r"<[^>]+>", " ", api.get(f"/matches/{module_world.priced}").text).split())
    assert "Leeds 30,0 7/3 1/1" in match
    assert "03 Nov. 2022, 00:00 Asia/Tokyo" in match
    days = {"from": "2022-11-03", "to": "2022-11-03"}
    assert re.findall(r"v</span> (\w+) ", api.get("/", params=days).text) == ["Arsenal"], "days in Tokyo"


def test_what_one_user_sees_no_other_is_given(make: Callable[..., NewKey], module_world: World):
    async def present() -> datetime:
        return NOW

    key = make()
    mine = {"Authorization": f"Bearer {key.key}"}
    # Replies are kept for longer than the test takes.
    with TestClient(create_app(module_world.settings, present, kept_seconds=3600)) as api:
        api.put("/v1/me/profile", json=PROFILE, headers=mine)
        for _ in range(2):
            assert "as of Wed 02 Nov 2022, 12:00 UTC" in api.get("/").text
            reply = api.get("/", headers=mine)
            assert "as of Mi. 02 Nov. 2022, 21:00" in reply.text
            assert reply.headers["vary"] == "Cookie, Accept-Encoding"
        sign_in(api, key)
        assert "as of Mi. 02 Nov. 2022, 21:00" in api.get("/").text
        api.cookies.clear()
        assert "as of Wed 02 Nov 2022, 12:00 UTC" in api.get("/").text


def test_the_form_is_there_for_whoever_wants_to_sign_in(start: Callable[..., TestClient]):
    api = start(anonymous=True)
    assert 'href="/sign-in"' in api.get("/").text
    form = api.get("/sign-in")
    assert form.status_code == 200
    assert '<input type="password" name="key"' in form.text
