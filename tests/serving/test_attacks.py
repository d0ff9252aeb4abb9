"""What an attacker tries first: none of it is an error of ours, shows the inside, or changes anything."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from psycopg import errors, sql
from starlette.testclient import TestClient

from api_process import free_port, key_for, process
from served_world import NOW, World
from table_digests import table_digests
from touchline.accounts import keys
from touchline.database.engine import connect, rows
from touchline.serving import access
from touchline.settings import PROJECT_ROOT, Access, Role, Settings

pytestmark = pytest.mark.slow

# As they stand in an address: what bytes cannot be text are written as such.
ATTACKS = [
    quote(text, safe="")
    for text in (
        "'", "' or '1'='1", "'; drop table ledger.prediction; --", "1); select pg_sleep(60); --", "$1", "%s",
        "%(match)s", "{0.__class__}", "{{7*7}}", "${jndi:ldap://127.0.0.1/a}", "\0", "E0\0", "../../../../etc/passwd",
        "..\\..\\windows", "<script>alert(1)</script>", "\r\nSet-Cookie: a=b", "é" * 40, "٣", "\u202e", "1e309", "-1",
        "99999999999999999999", "NaN", "0x10", "[]", "{}", "null", "true", "2023-02-30", "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00", "infinity", "a" * 3000, "00000000-0000-0000-0000-000000000000", "csv,json", "",
    )
] + ["%ff", "%c0%ae%c0%ae%c0%af", "%ed%a0%80", "%", "%00%00"]  # fmt: skip
HEADERS = (
    "Accept", "Accept-Encoding", "If-None-Match", "If-Modified-Since", "Authorization", "X-API-Key", "X-Forwarded-For",
    "X-Forwarded-Host", "Forwarded", "Origin", "Referer", "Cookie", "Range", "Content-Type", "Upgrade",
)  # fmt: skip
ODD_HEADERS = [
    b"\xff\xfe", b"a;q=1e999", b"*" * 9000, b"W/" * 4000, b"gzip;q=", b"bytes=0-,0-,0-", b"Bearer  ", b"Bearer tl_\xff",
    b"Sat, 01 Jan 99999999999999999999 00:00:00 GMT", b"Sat, 01 Jan 2000 00:00:00 +9999999999999999",
]  # fmt: skip
# Of the inside: statements, drivers, files, roles. What was asked for may be repeated.
INSIDE = re.compile(
    r"traceback|asyncpg|psycopg|site-packages|\.py\b|\bfrom (core|ledger|analytics|ops)\.|row_to_json|syntax error"
    r"|relation \"|touchline_(api|access|owner)\b|" + re.escape(str(PROJECT_ROOT)) + r"|root:x:",
    re.IGNORECASE,
)
# By day each parameter and header meets every fifth, the next ones the others; by night each meets all.
by_day_and_by_night = pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.nightly)])
METHODS = ("POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "OPTIONS", "BREW")


@pytest.fixture(scope="module")
def settings_of(module_world: World) -> Settings:
    return module_world.settings


@pytest.fixture
def paths(api: TestClient, module_world: World) -> dict[str, list[dict[str, Any]]]:
    """The parameters of every route that answers GET, by its path."""
    documented = api.get("/openapi.json").json()["paths"]
    found = {path: methods["get"].get("parameters", []) for path, methods in documented.items()}
    for path in ("/", "/models", "/track-record", "/data", "/matches/{match_id}", "/competitions/{code}"):
        found[path] = [{"in": "path", "name": name} for name in re.findall(r"{(\w+)}", path)]
    found["/"] = [{"in": "query", "name": "competition"}]
    found["/models"] = [{"in": "query", "name": "version"}]
    found["/track-record"] = [{"in": "query", "name": name} for name in ("role", "forecast", "season")]
    return found


@pytest.fixture
def ids(world: World) -> dict[str, str]:
    return {
        "prediction_id": world.ids["new"], "match_id": world.priced, "code": "E0",
        "model_name": "touchline_match_result", "model_version": "1",
    }  # fmt: skip


def objection(reply: httpx.Response, given: str = "") -> str | None:
    """What is wrong with a reply to an attack."""
    if reply.status_code >= 500:
        return f"status {reply.status_code}: {reply.text[:200]}"
    told = reply.text.replace(given, "") if given else reply.text
    # The documentation names routes and says how to use them.
    if found := INSIDE.search(told):
        return f"shows {told[max(0, found.start() - 60) : found.end() + 60]!r}"
    if "html" in reply.headers.get("content-type", "") and "<script>alert" in reply.text:
        return "runs a script"
    if "a" in reply.cookies:
        return "sets a cookie"
    return None


@by_day_and_by_night
def test_no_text_in_any_parameter_breaks_out_of_it(
    api: TestClient, world: World, paths: dict[str, list[dict[str, Any]]], ids: dict[str, str], step: int
):
    before = table_digests(world.settings)
    found, n, turn = {}, 0, 0
    for path, parameters in paths.items():
        for parameter in parameters:
            turn += 1
            for attack in ATTACKS[turn % step :: step]:
                if parameter["in"] == "path":
                    address = path.replace(f"{{{parameter['name']}}}", attack).format_map(ids)
                else:
                    address = f"{path.format_map(ids)}?{parameter['name']}={attack}"
                n += 1
                if told := objection(api.get(address, follow_redirects=False)):
                    found[address[:300]] = told
    assert found == {}
    assert n > 2000 / step
    assert table_digests(world.settings) == before


def test_no_place_in_a_cursor_breaks_out_of_it(
    api: TestClient, paths: dict[str, list[dict[str, Any]]], ids: dict[str, str]
):
    found, n = {}, 0
    texts = [
        "' or 1=1 --",
        "\0",
        "\ud800",
        "infinity",
        "-infinity",
        "NaN",
        "1e400",
        "9" * 40,
        "",
        "0001-01-01 BC",
        "{}",
    ]
    for path, parameters in paths.items():
        if "cursor" not in {each["name"] for each in parameters}:
            continue
        address = path.format_map(ids)
        cursor = api.get(address, params={"limit": 1}).json()["next"]
        if cursor is None:
            continue
        fingerprint, *place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        for number in range(len(place)):
            for text in texts:
                forged = json.dumps([fingerprint, *place[:number], text, *place[number + 1 :]])
                given = base64.urlsafe_b64encode(forged.encode()).decode().rstrip("=")
                n += 1
                reply = api.get(address, params={"limit": 1, "cursor": given})
                if told := objection(reply, given):
                    found[f"{address} {place} {text!a} at {number}"] = told
    assert found == {}
    assert n > 100


@by_day_and_by_night
def test_no_header_breaks_out_of_it(api: TestClient, world: World, step: int):
    found = {}
    attacks = [each.encode() for each in ATTACKS] + ODD_HEADERS
    for path in (f"/v1/predictions/{world.ids['new']}", "/v1/me/profile"):
        for turn, header in enumerate(HEADERS):
            for attack in attacks[turn % step :: step]:
                reply = api.request("GET", path, headers=[(header.encode(), attack)])
                if told := objection(reply, attack.decode("latin-1")):
                    found[f"{path} {header}: {attack[:60]!r}"] = told
    assert found == {}


def test_methods_that_are_not_there_are_refused_and_say_which_are(
    api: TestClient, world: World, paths: dict[str, list[dict[str, Any]]], ids: dict[str, str]
):
    before = table_digests(world.settings)
    api.headers["Authorization"] = f"Bearer {key_for(world.settings, 'read', 'profile').key}"
    for path in paths:
        for method in METHODS:
            if (method, path) == ("PUT", "/v1/me/profile"):
                continue
            reply = api.request(method, path.format_map(ids), content=b"{}")
            assert (reply.status_code, objection(reply)) == (405, None), (method, path)
            assert "GET" in reply.headers["allow"], (method, path)
    assert table_digests(world.settings) == before


def test_nobody_writes_without_a_key_that_may(
    settings_of: Settings, serve: Callable[..., TestClient], paths: dict[str, list[dict[str, Any]]]
):
    api = serve(settings_of.model_copy(update={"access": Access(anonymous=True)}))
    whole, reader = key_for(settings_of, "read", "profile"), key_for(settings_of, "read")
    expired = key_for(settings_of, "read", "profile", ago=timedelta(days=9))
    revoked, rotated = key_for(settings_of, "profile"), key_for(settings_of, "profile")
    with connect(settings_of, "owner") as connection:
        keys.revoke(connection, revoked.prefix, datetime.now(UTC))
        keys.rotate(connection, rotated.prefix, datetime.now(UTC), timedelta(0))
    presented = {
        "none": (None, 401), "wrong scope": (reader.key, 403), "expired": (expired.key, 401),
        "revoked": (revoked.key, 401), "rotated": (rotated.key, 401), "guessed": (f"{whole.prefix}_{'a' * 43}", 401),
        "of another": (f"{whole.prefix}_{reader.key.rpartition('_')[2]}", 401), "garbage": ("admin", 401),
    }  # fmt: skip
    documented = api.get("/openapi.json").json()["paths"]
    writes = [
        (method, path)
        for path, methods in documented.items()
        for method in methods
        if method not in ("get", "head")
    ]
    assert writes, "there is something to try"
    body = {"teams": ["Arsenal"]}
    for method, path in writes:
        for name, (key, status) in presented.items():
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            reply = api.request(method, path, headers=headers, json=body)
            assert (reply.status_code, objection(reply)) == (status, None), (method, path, name)
    with connect(settings_of, "owner") as connection:
        assert rows(connection, "select prefix from ops.user_profile") == []
    assert api.put("/v1/me/profile", headers={"X-API-Key": whole.key}, json=body).status_code == 200


def test_the_name_that_a_client_calls_the_server_by_is_believed_nowhere(
    api: TestClient, paths: dict[str, list[dict[str, Any]]], ids: dict[str, str]
):
    lies = {
        "Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example",
        "X-Original-URL": "/v1/me/profile", "X-Rewrite-URL": "/v1/me/profile", "X-HTTP-Method-Override": "PUT",
    }  # fmt: skip
    for path in [*paths, "/docs", "/redoc", "/openapi.json", "/v2"]:
        address = path.format_map(ids)
        for asked in (address, f"{address}/", f"/{address}", f"{address}?limit=1"):
            truth = api.get(asked, follow_redirects=False)
            reply = api.get(asked, headers=lies, follow_redirects=False)
            assert reply.status_code == truth.status_code, asked
            assert "evil.example" not in reply.text + str(reply.headers), asked


@pytest.fixture(scope="module")
def address(settings_of: Settings) -> Iterator[str]:
    """A server of its own."""
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "touchline.serving", "--port", str(port)]
    with process(command, settings_of.model_copy(update={"as_of": NOW}), here):
        yield here


def answer_to(address: str, request: bytes) -> str:
    """Status line, head and the beginning of the body that the server says to these bytes."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(request)
        said = b""
        while part := connection.recv(65536):
            said += part
    return said.decode("latin-1")


TARGETS = [
    "/../../../../etc/passwd", "/v1/../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2f..%2fetc/passwd", "/static-offline-docs/../../../../../../etc/passwd",
    "/static-offline-docs/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/static-offline-docs/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", "/static-offline-docs//etc/passwd",
    "/static-offline-docs/%2fetc%2fpasswd", "/static-offline-docs/..%5c..%5cetc%5cpasswd",
    "/static-offline-docs/%00", "/static-offline-docs/favicon.png%00.html", "/static-offline-docs/" + "a/" * 2000,
    "/static-offline-docs/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd", "/static-offline-docs/" + "a" * 300,
    "//etc/passwd", "/v1/competitions/E0%2f..%2f..%2fetc/table", "/v1/competitions/E0%00/table",
    "/v1/matches/%ff%fe", "/v1/%2e%2e/openapi.json", "/v1/me/profile;a=b", "/v1/me%2fprofile",
    "/v1/predictions/%e2%80%ae", "/v1/models?%00=%00", "/v1/models?" + "a=b&" * 1500, "/v1/models#fragment",
    "http://evil.example/v1/models", "http://evil.example@127.0.0.1/", "*", "evil.example:443",
    "/v1/models?limit=1%0d%0aSet-Cookie:%20a=b", "/v1/mod\u00a0els", "/\xff\xfe",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: ascii(target)[:70])
def test_no_path_leads_out_of_what_is_served(address: str, target: str):
    request = b"GET " + target.encode("latin-1") + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    said = answer_to(address, request)
    status = re.match(r"HTTP/1\.1 ([1-5]\d\d) ", said)
    assert status is not None, said[:200]
    assert int(status[1]) in (200, 400, 401, 404, 405, 414, 422), said[:200]
    assert INSIDE.search(said.replace("/static-offline-docs", "")) is None, said[:500]
    assert "set-cookie" not in said.partition("\r\n\r\n")[0].lower()
    # What is found is what it says it is, and no file.
    if status[1] == "200":
        assert "models" in target or target.endswith("/"), said[:200]


def test_who_sends_byte_by_byte_keeps_nobody_waiting(address: str, settings_of: Settings):
    host, _, port = address.removeprefix("http://").partition(":")
    key = key_for(settings_of, "read", "profile").key
    slow_head = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Slow: "
    slow_body = (
        f"PUT /v1/me/profile HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"
    ).encode()

    async def dribble(request: bytes) -> None:
        reading, writing = await asyncio.open_connection(host, int(port))
        try:
            for byte in request:
                writing.write(bytes([byte]))
                await writing.drain()
            started.append(1)
            while not reading.at_eof():
                writing.write(b" ")
                await writing.drain()
                await asyncio.sleep(0.5)
        except ConnectionError:
            pass
        finally:
            writing.close()

    async def ask() -> list[int]:
        crowd = [asyncio.create_task(dribble(each)) for each in (slow_head, slow_body) for _ in range(150)]
        while len(started) < len(crowd):
            await asyncio.sleep(0.05)
        async with httpx.AsyncClient(base_url=address, timeout=60, headers={"X-API-Key": key}) as client:
            found = [
                (await client.get(path)).status_code
                for path in ("/v1/models", "/v1/predictions/upcoming", "/", "/v1/me/profile") * 5
            ]
            found.append((await client.put("/v1/me/profile", json={})).status_code)
        for each in crowd:
            each.cancel()
        await asyncio.wait(crowd)
        return found

    started: list[int] = []
    assert set(asyncio.run(ask())) == {200}


def test_a_body_that_does_not_come_is_not_waited_for(
    world: World, serve: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(access, "MOST_BODY_SECONDS", 0.1)
    api = serve(world.settings)
    key = key_for(world.settings, "profile").key
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not said_some:
            said_some.append(True)
            return {"type": "http.request", "body": b"{", "more_body": True}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        said.append(message)

    async def ask() -> None:
        headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-type", b"application/json")]
        scope = {
            "type": "http", "http_version": "1.1", "method": "PUT", "scheme": "http", "path": "/v1/me/profile",
            "raw_path": b"/v1/me/profile", "query_string": b"", "root_path": "", "headers": headers,
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "state": {},
        }  # fmt: skip
        await api.app(scope, receive, send)

    said_some: list[bool] = []
    assert api.portal is not None
    api.portal.call(ask)
    assert said[0]["status"] == 408
    assert b"0.1 s" in said[1]["body"]


# Neither may it, nor is it a column or a view that anybody writes.
REFUSALS = (
    errors.InsufficientPrivilege, errors.WrongObjectType, errors.ObjectNotInPrerequisiteState, errors.GeneratedAlways,
    errors.FeatureNotSupported,
)  # fmt: skip
# What a role of the API may do to tables, beside reading some.
MAY_WRITE: dict[Role, dict[str, set[str]]] = {
    "api": {},
    "access": {
        "ops.user_profile": {"insert", "update"},
        "ops.api_key_use": {"insert", "update"},
        "ops.api_rate": {"insert", "update", "delete"},
    },
}


@pytest.mark.parametrize("role", MAY_WRITE)
def test_with_the_passwords_of_the_api_nothing_is_written_that_it_does_not_write(world: World, role: Role):
    with connect(world.settings, "owner") as connection:
        columns = rows(
            connection,
            "select format('%s.%s', nspname, relname) as name, attname from pg_attribute "
            "join pg_class on pg_class.oid = attrelid join pg_namespace on pg_namespace.oid = relnamespace "
            "where relkind in ('r', 'p', 'v', 'm', 'f') and attnum > 0 and not attisdropped "
            "and nspname !~ '^(pg_|information_schema$)'",
        )
    names = {each["name"] for each in columns}
    assert {each.partition(".")[0] for each in names} >= {"landing", "core", "ledger", "ops", "analytics"}
    tries = [
        *((verb, name, statement)
          for name in names
          for verb, statement in (("delete", f"delete from {name} where false"), ("truncate", f"truncate {name}"))),
        *(
            (verb, each["name"], statement.format(each["name"], f'"{each["attname"]}"'))
            for each in columns
            for verb, statement in (
                ("insert", "insert into {} ({}) values (default)"),
                ("update", "update {} set {} = null where false"),
            )
        ),
    ]  # fmt: skip
    done: dict[str, set[str]] = {}
    with connect(world.settings, role) as connection:
        for verb, name, statement in tries:
            try:
                connection.execute("set transaction read write")
                connection.execute(sql.SQL(statement))  # type: ignore[arg-type]
                is_allowed = True
            except REFUSALS:
                is_allowed = False
            except errors.DatabaseError:
                # Refused for another reason: a constraint, or that the ledger is not changed.
                is_allowed = True
            finally:
                connection.rollback()
            if is_allowed:
                done.setdefault(name, set()).add(verb)
    assert done == MAY_WRITE[role]
