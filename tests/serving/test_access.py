"""Who may ask: keys, scopes, limits and sizes, on a built warehouse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from served_world import World
from touchline.accounts import key_cache, keys
from touchline.accounts.key_cache import KeyCache
from touchline.accounts.keys import NewKey
from touchline.accounts.rates import CountsInPostgres, Rates, limits_of
from touchline.accounts.uses import Uses
from touchline.database.engine import connect, open_url, rows
from touchline.serving.access import MOST_BODY_BYTES, MOST_URL_BYTES
from touchline.serving.database import Reader
from touchline.settings import Access, Settings

pytestmark = pytest.mark.slow

MODELS = "/v1/models"
PROFILE = "/v1/me/profile"
LONG = timedelta(days=30)
INJECTIONS = [
    "'; drop table ops.api_key; --", "tl_aaaaaaaa' or '1'='1", "tl_aaaaaaaa_" + "%" * 43, "tl_aaaaaaaa_" + "a" * 44,
    "tl_aaaaaaaa", "tl_AAAAAAAA_" + "a" * 43, "../../etc/passwd", "x" * 5000, "",
]  # fmt: skip


@pytest.fixture
def settings_of(module_world: World) -> Settings:
    return module_world.settings


@pytest.fixture
def make(settings_of: Settings) -> Callable[..., NewKey]:
    """Makes a key; by default it reads, and is valid for a month."""

    def made(*scopes: str, age: timedelta = timedelta(0), valid: timedelta = LONG, **more: Any) -> NewKey:
        at = datetime.now(UTC) - age
        with connect(settings_of, "owner") as connection:
            return keys.create(connection, "somebody", scopes or ("read",), at, at + valid, **more)

    return made


@pytest.fixture
def start(settings_of: Settings, serve: Callable[..., TestClient]) -> Callable[..., TestClient]:
    """Starts the application with settings of access; without any it answers nobody who has no key."""

    def started(**access: Any) -> TestClient:
        given = Access(**{"anonymous": False, **access})
        return serve(settings_of.model_copy(update={"access": given}))

    return started


def bearer(key: NewKey | str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key if isinstance(key, str) else key.key}"}


def problem(reply: Response) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["status"] == reply.status_code
    return reply.status_code, reply.json()["detail"]


def test_without_a_key_nothing_is_read_but_health_and_documentation(start: Callable[..., TestClient]):
    api = start()
    for path in (
        "/v1/health/live",
        "/v1/health/ready",
        "/docs",
        "/openapi.json",
        "/static-offline-docs/redoc.html",
    ):
        assert api.get(path).status_code in (200, 404), path
    for path in ("/", "/metrics", MODELS, PROFILE, "/v1/nowhere", "/v1/predictions/upcoming"):
        status, told = problem(reply := api.get(path))
        assert status == 401, path
        assert "touchline keys create" in told
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "given", "answered"),
    [
        ("127.0.0.1", None, True),
        ("127.8.0.1", None, True),
        ("::1", None, True),
        ("localhost", None, True),
        ("0.0.0.0", None, False),
        ("::", None, False),
        ("api.example", None, False),
        ("0.0.0.0", True, True),
        ("127.0.0.1", False, False),
    ],
)
def test_whoever_reaches_loopback_alone_reads_without_a_key_unless_a_setting_says_otherwise(
    settings_of: Settings, serve: Callable[..., TestClient], host: str, given: bool | None, answered: bool
):
    api = serve(settings_of.model_copy(update={"bind_host": host, "access": Access(anonymous=given)}))
    reply = api.get(MODELS)
    assert reply.status_code == (200 if answered else 401)
    assert ("ratelimit" in reply.headers) is (host not in ("127.0.0.1", "127.8.0.1", "::1", "localhost"))
    assert problem(api.get(PROFILE))[0] == 401


def test_a_key_is_sent_in_either_header(start: Callable[..., TestClient], make: Callable[..., NewKey]):
    api, key = start(), make()
    for headers in (
        bearer(key),
        {"Authorization": f"bearer  {key.key} "},
        {"X-API-Key": key.key},
        # What a proxy wants is no business of ours.
        {"Authorization": "Basic dXNlcjpwYXNzd29yZA==", "X-API-Key": key.key},
    ):
        assert api.get(MODELS, headers=headers).status_code == 200, headers
    assert api.get(MODELS, headers={"Authorization": key.key}).status_code == 401
    assert api.get(f"{MODELS}?key={key.key}").status_code == 401


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_is_no_key_is_refused_with_what_to_do(
    start: Callable[..., TestClient], settings_of: Settings, text: str
):
    api = start(anonymous=True)
    status, told = problem(api.get(MODELS, headers={"X-API-Key": text}))
    assert status == 401
    assert "touchline keys create" in told
    with connect(settings_of, "owner") as connection:
        connection.execute("select from ops.api_key")


def test_a_secret_that_is_not_the_keys_is_unknown_whatever_else_holds_of_the_key(
    start: Callable[..., TestClient], make: Callable[..., NewKey]
):
    api = start()
    valid, expired = make(), make(age=2 * LONG)
    for key in (valid, expired):
        wrong = f"{key.prefix}_{'a' * 43}"
        assert problem(api.get(MODELS, headers=bearer(wrong))) == problem(
            api.get(MODELS, headers=bearer("tl_" + "z" * 8 + "_" + "a" * 43))
        )


def test_every_digest_of_a_key_is_compared_in_constant_time(
    start: Callable[..., TestClient],
    make: Callable[..., NewKey],
    settings_of: Settings,
    monkeypatch: pytest.MonkeyPatch,
):
    compared: list[tuple[bytes, bytes]] = []
    compare = keys.compare_digest

    def watch(known: bytes, given: bytes) -> bool:
        compared.append((known, given))
        return compare(known, given)

    monkeypatch.setattr(keys, "compare_digest", watch)
    api, old = start(), make()
    with connect(settings_of, "owner") as connection:
        new = keys.rotate(connection, old.prefix, datetime.now(UTC), timedelta(hours=1))
    for key in (old, new):
        compared.clear()
        assert api.get(MODELS, headers=bearer(key)).status_code == 200
        assert len(compared) == 2
        assert {len(each) for pair in compared for each in pair} == {32}
        assert {given for _, given in compared} == {
            keys.digest_of(key.key.partition("_")[2].partition("_")[2])
        }


def test_an_expired_a_revoked_and_a_rotated_key_are_told_apart(
    start: Callable[..., TestClient],
    make: Callable[..., NewKey],
    settings_of: Settings,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(key_cache, "KEPT_SECONDS", 0)
    api, key, expired = start(), make(), make(age=2 * LONG)
    assert problem(api.get(MODELS, headers=bearer(expired)))[1].startswith("this key has expired")
    with connect(settings_of, "owner") as connection:
        now = datetime.now(UTC)
        between = keys.rotate(connection, key.prefix, now, timedelta(hours=1))
        newest = keys.rotate(connection, key.prefix, now, timedelta(0))
    # The first has what is left of its grace, which the second rotation ends.
    for old in (key, between):
        assert problem(api.get(MODELS, headers=bearer(old)))[1].startswith("this key was rotated")
    assert api.get(MODELS, headers=bearer(newest)).status_code == 200
    with connect(settings_of, "owner") as connection:
        assert keys.revoke(connection, newest.key, datetime.now(UTC)) == key.prefix
    assert problem(api.get(MODELS, headers=bearer(newest)))[1].startswith("this key was revoked")


def test_a_key_is_known_for_a_moment_after_it_was_revoked(
    start: Callable[..., TestClient],
    make: Callable[..., NewKey],
    settings_of: Settings,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(key_cache, "KEPT_SECONDS", 3600)
    api, key = start(), make()
    assert api.get(MODELS, headers=bearer(key)).status_code == 200
    with connect(settings_of, "owner") as connection:
        keys.revoke(connection, key.prefix, datetime.now(UTC))
    assert api.get(MODELS, headers=bearer(key)).status_code == 200
    assert start().get(MODELS, headers=bearer(key)).status_code == 401


def test_a_key_does_what_its_scopes_say(start: Callable[..., TestClient], make: Callable[..., NewKey]):
    api, reads, profiles, both = start(), make("read"), make("profile"), make("read", "profile")
    for path, allowed in (
        (MODELS, (reads, both)),
        (PROFILE, (profiles, both)),
        ("/v1/me/predictions", (both,)),
        ("/v1/me/alerts", (both,)),
    ):
        for key in (reads, profiles, both):
            reply = api.get(path, headers=bearer(key))
            assert reply.status_code == (200 if key in allowed else 403), (path, key.scopes)
    status, told = problem(api.put(PROFILE, headers=bearer(reads), json={}))
    assert status == 403
    assert "needs a key with the scope profile" in told
    assert reads.prefix in told


@pytest.mark.parametrize(
    "path", ["//v1/me/profile", "/v1/me/../me/profile", "/V1/ME/profile", "/v1/me/profile/"]
)
def test_another_spelling_of_a_path_is_no_way_around_a_scope(
    start: Callable[..., TestClient], make: Callable[..., NewKey], path: str
):
    reply = start(anonymous=True).get(path, headers=bearer(make("read")), follow_redirects=False)
    assert reply.status_code in (307, 403, 404)


def test_while_the_database_is_away_a_key_is_known_a_while_and_none_is_learnt(
    start: Callable[..., TestClient],
    make: Callable[..., NewKey],
    settings_of: Settings,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(key_cache, "KEPT_SECONDS", 3600)
    api, met, new = start(), make(), make()
    assert api.get("/docs/nothing", headers=bearer(met)).status_code == 404
    name = settings_of.warehouse_database
    with open_url(settings_of.admin_url, autocommit=True) as admin:
        admin.execute(f"alter database {name} with allow_connections false")
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        try:
            assert api.get("/docs/nothing", headers=bearer(met)).status_code == 404
            status, told = problem(reply := api.get("/docs/nothing", headers=bearer(new)))
            assert (status, reply.headers["retry-after"]) == (503, "5")
            assert "touchline doctor" in told
        finally:
            admin.execute(f"alter database {name} with allow_connections true")
    assert api.get(MODELS, headers=bearer(new)).status_code == 200


def test_a_limit_is_told_kept_and_said_when_to_ask_again(
    start: Callable[..., TestClient], make: Callable[..., NewKey]
):
    api, key, other = start(key_limit="3/year"), make(), make()
    replies = [api.get(MODELS, headers=bearer(key)) for _ in range(5)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429, 429]
    year = 360 * 24 * 3600
    for reply, left in zip(replies, (2, 1, 0, 0, 0), strict=True):
        assert reply.headers["ratelimit-policy"] == f'"touchline";q=3;w={year}'
        assert reply.headers["ratelimit"].startswith(f'"touchline";r={left};t=')
    wait = int(replies[-1].headers["retry-after"])
    assert 0 < wait <= year
    assert problem(replies[-1])[1].startswith(f"3 requests in {year} s are allowed: ask again in ")
    # Another key, and whoever asks whether the process lives, are not held up.
    assert api.get(MODELS, headers=bearer(other)).status_code == 200
    assert api.get("/v1/health/live").status_code == 200


def test_a_key_may_have_a_limit_of_its_own(start: Callable[..., TestClient], make: Callable[..., NewKey]):
    api = start(key_limit="1/year")
    generous, strict = make(rate_limit="none"), make(rate_limit="100/day;2/year")
    assert [api.get(MODELS, headers=bearer(generous)).status_code for _ in range(4)] == [200] * 4
    assert [api.get(MODELS, headers=bearer(strict)).status_code for _ in range(3)] == [200, 200, 429]


def test_whoever_has_no_valid_key_is_counted_by_address(
    start: Callable[..., TestClient], make: Callable[..., NewKey]
):
    api, key = start(address_limit="3/year"), make()
    tried = [api.get(MODELS, headers=bearer(f"tl_{letter * 8}_{'a' * 43}")) for letter in "abcd"]
    assert [reply.status_code for reply in tried] == [401, 401, 401, 429]
    assert api.get("/docs").status_code == 429
    # Whoever has a key that this process knows shares the address and not the limit.
    assert start(address_limit="100/year").get(MODELS, headers=bearer(key)).status_code == 200


def test_processes_count_together(settings_of: Settings):
    async def share() -> list[tuple[bool, ...]]:
        reader = Reader(settings_of, "access")
        here, there = (Rates(CountsInPostgres(reader.rows), lambda: 1e9) for _ in range(2))
        limits = limits_of("10/year")

        async def ask(rates: Rates, n: int) -> tuple[bool, ...]:
            admitted = tuple(rates.admit("tl_together", limits)[0] for _ in range(n))
            await rates.settle()
            return admitted

        found = [await ask(here, 7), await ask(there, 2)]
        # It has learnt of the others' when it last settled; what it lets in before it does again may be too much.
        found += [await ask(here, 2), await ask(there, 1), await ask(here, 1), await ask(there, 1)]
        await reader.close()
        return found

    assert asyncio.run(share()) == [(True,) * 7, (True, True), (True, True), (True,), (False,), (False,)]


def test_what_could_not_be_settled_is_settled_the_next_time(settings_of: Settings):
    async def fail_once() -> int:
        reader = Reader(settings_of, "access")
        failing = True

        async def rows_of(statement: str, *parameters: Any) -> Any:
            if failing:
                raise OSError("away")
            return await reader.rows(statement, *parameters)

        limits, rates = limits_of("10/year"), Rates(CountsInPostgres(rows_of), lambda: 1e9)
        for _ in range(4):
            rates.admit("tl_patience", limits)
        with pytest.raises(OSError, match="away"):
            await rates.settle()
        rates.admit("tl_patience", limits)
        failing = False
        await rates.settle()
        other = Rates(CountsInPostgres(reader.rows), lambda: 1e9)
        other.admit("tl_patience", limits)
        await other.settle()
        await reader.close()
        return other.tightest("tl_patience", limits).left

    assert asyncio.run(fail_once()) == 4


def test_a_window_that_is_over_is_forgotten(settings_of: Settings):
    async def pass_time() -> list[dict[str, Any]]:
        reader, now = Reader(settings_of, "access"), 1e9
        rates = Rates(CountsInPostgres(reader.rows), lambda: now)
        limits = limits_of("1/minute")
        assert rates.admit("tl_minutes", limits)[0]
        await rates.settle()
        assert not rates.admit("tl_minutes", limits)[0]
        now += 60
        assert rates.admit("tl_minutes", limits)[0]
        now += 60
        await rates.settle()
        assert rates._windows == {}
        found = await reader.rows("select name from ops.api_rate where name like '%tl_minutes%'")
        await reader.close()
        return found

    assert asyncio.run(pass_time()) == []


def test_every_use_of_a_key_is_in_the_audit_log_once_however_often_it_is_written(
    settings_of: Settings, make: Callable[..., NewKey]
):
    key = make().prefix
    query = "select route, status, sum(n)::int as n from ops.api_key_use where prefix = %s group by 1, 2 order by 1, 2"

    async def use() -> None:
        reader, failing = Reader(settings_of, "access"), False

        async def rows_of(statement: str, *parameters: Any) -> Any:
            found = await reader.rows(statement, *parameters)
            if failing:
                # The rows are there; the writer is not told.
                raise OSError("away")
            return found

        uses, others = (Uses(rows_of, lambda: 1e9) for _ in range(2))
        for each in (uses, others):
            each.note(key, MODELS, 200)
            await each.write()
        uses.note(key, MODELS, 200)
        failing = True
        with pytest.raises(OSError, match="away"):
            await uses.write()
        failing = False
        uses.note(key, PROFILE, 403)
        await uses.write()
        await uses.write()
        await reader.close()

    asyncio.run(use())
    with connect(settings_of, "owner") as connection:
        found = rows(connection, query, (key,))
    assert found == [{"route": PROFILE, "status": 403, "n": 1}, {"route": MODELS, "status": 200, "n": 3}]


def test_uses_are_written_by_route_when_the_server_ends(
    settings_of: Settings, make: Callable[..., NewKey], start: Callable[..., TestClient], module_world: World
):
    key = make(rate_limit="4/year")
    with start() as api:
        for path in (MODELS, f"/v1/matches/{module_world.priced}", PROFILE, "/v1/nowhere"):
            api.get(path, headers=bearer(key))
        api.get(MODELS, headers=bearer(key))
        api.get(MODELS, headers=bearer(f"{key.prefix}_{'a' * 43}"))
    with connect(settings_of, "owner") as connection:
        found = rows(
            connection,
            "select route, status, sum(n)::int as n from ops.api_key_use where prefix = %s group by 1, 2 order by 1, 2",
            (key.prefix,),
        )
        (listed,) = (
            each for each in keys.known_keys(connection, datetime.now(UTC)) if each.prefix == key.prefix
        )
    assert listed.last_used_at is not None
    assert [tuple(row.values()) for row in found] == [
        ("/v1/matches/{match_id}", 200, 1), (MODELS, 200, 1), ("other", 403, 1), ("other", 404, 1), ("other", 429, 1),
    ]  # fmt: skip


def test_an_address_or_a_body_that_is_too_large_is_refused(
    start: Callable[..., TestClient], make: Callable[..., NewKey]
):
    api, headers = start(), bearer(make("profile"))
    assert problem(api.get(f"{MODELS}?x={'a' * MOST_URL_BYTES}"))[0] == 414
    large = b" " * MOST_BODY_BYTES + b"{}"
    json_of = {**headers, "Content-Type": "application/json"}
    assert problem(api.put(PROFILE, headers=json_of, content=large))[0] == 413
    # In chunks nobody says how many there are.
    assert (
        problem(api.put(PROFILE, headers=json_of, content=iter([large[:40_000], large[40_000:]])))[0] == 413
    )
    fits = b" " * (MOST_BODY_BYTES - 2) + b"{}"
    assert api.put(PROFILE, headers=json_of, content=fits).status_code == 200


def test_pages_of_no_other_origin_ask_unless_a_setting_lets_them(
    start: Callable[..., TestClient], make: Callable[..., NewKey]
):
    page = {"Origin": "https://fans.example"}
    preflight = {
        **page,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization",
    }
    shut, open_ = start(), start(origins="https://fans.example, https://b.example", key_limit="10/year")
    assert "access-control-allow-origin" not in shut.get("/docs", headers=page).headers
    assert shut.options(PROFILE, headers=preflight).status_code == 401
    asked = open_.options(PROFILE, headers=preflight)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "https://fans.example")
    told = open_.get(MODELS, headers={**page, **bearer(make())})
    assert told.headers["access-control-allow-origin"] == "https://fans.example"
    assert "RateLimit" in told.headers["access-control-expose-headers"]
    # A refusal can be read, too.
    assert open_.get(MODELS, headers=page).headers["access-control-allow-origin"] == "https://fans.example"
    stranger = open_.get(MODELS, headers={"Origin": "https://evil.example", **bearer(make())})
    assert "access-control-allow-origin" not in stranger.headers


def test_those_who_ask_for_the_same_key_at_once_ask_the_database_once():
    asked: list[str] = []

    async def fetch(_: str, prefix: str) -> list[dict[str, Any]]:
        asked.append(prefix)
        await asyncio.sleep(0.01)
        return []

    async def ask() -> None:
        cache = KeyCache(fetch)
        await asyncio.gather(*(cache.find(f"tl_{n % 3}") for n in range(30)))

    asyncio.run(ask())
    assert sorted(asked) == ["tl_0", "tl_1", "tl_2"]


def test_prefixes_that_nobody_has_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(key_cache, "MOST_KEPT", 10)

    async def fetch(*_: str) -> list[dict[str, Any]]:
        return []

    async def ask() -> int:
        cache = KeyCache(fetch)
        for n in range(100):
            await cache.find(f"tl_{n}")
        return len(cache._kept)

    assert asyncio.run(ask()) == 10


def test_what_is_stored_of_a_key_cannot_give_it_back(settings_of: Settings, make: Callable[..., NewKey]):
    key = make().key
    secret = key.split("_", 2)[2]
    with connect(settings_of, "owner") as connection:
        stored = json.dumps(
            [
                rows(connection, f"select * from ops.{name}")
                for name in ("api_key", "api_key_secret", "audit_log")
            ],
            default=lambda value: value.hex() if isinstance(value, bytes) else str(value),
        )
    assert secret not in stored
    assert secret.encode().hex() not in stored
    assert keys.digest_of(secret).hex() in stored
