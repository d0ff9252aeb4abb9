"""Access as servers of their own enforce it: limits that several share, and requests that no client should send."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from api_process import free_port, process
from cluster import redis_server
from served_world import NOW, World
from touchline.accounts import keys
from touchline.database.engine import connect, scalar
from touchline.serving.__main__ import MOST_HEADER_BYTES
from touchline.settings import Access, Settings

pytestmark = pytest.mark.slow

LIVE, MODELS, PROFILE = "/v1/health/live", "/v1/models", "/v1/me/profile"
LIMIT = 40


@contextmanager
def servers(settings: Settings, n: int, **access: Any) -> Iterator[list[str]]:
    """Addresses of so many servers of one installation."""
    given = settings.model_copy(update={"as_of": NOW, "access": Access(**access)})
    with ExitStack() as stack:
        addresses = []
        for _ in range(n):
            port = free_port()
            address = f"http://127.0.0.1:{port}"
            command = [sys.executable, "-m", "touchline.serving", "--port", str(port)]
            stack.enter_context(process(command, given, address))
            addresses.append(address)
        yield addresses


@pytest.fixture
def key(module_world: World) -> str:
    at = datetime.now(UTC)
    with connect(module_world.settings, "owner") as connection:
        return keys.create(connection, "somebody", ["read", "profile"], at, at + timedelta(days=1)).key


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """The address of a Redis with a password."""
    program, port = redis_server(), free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--requirepass", "hush", "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert server.poll() is None, "Redis ended"
                time.sleep(0.05)
            yield f"redis://:hush@127.0.0.1:{port}/0"
        finally:
            server.kill()


@pytest.mark.parametrize("where", ["PostgreSQL", "Redis"])
def test_servers_keep_a_limit_together(
    module_world: World, key: str, where: str, request: pytest.FixtureRequest
):
    settings = module_world.settings
    shared = {"redis": request.getfixturevalue("redis")} if where == "Redis" else {}
    with (
        servers(settings, 2, key_limit=f"{LIMIT}/year", anonymous=False, **shared) as addresses,
        httpx.Client(headers={"Authorization": f"Bearer {key}"}) as client,
    ):
        first, second = addresses

        def let_in(address: str, n: int) -> int:
            return [client.get(f"{address}{MODELS}").status_code for _ in range(n)].count(200)

        assert let_in(first, LIMIT - 1) == LIMIT - 1
        admitted = LIMIT - 1
        # Until the second has heard of the first; then both refuse.
        while client.get(f"{second}{MODELS}").status_code == 200:
            admitted += 1
            time.sleep(0.05)
        while client.get(f"{first}{MODELS}").status_code == 200:
            admitted += 1
            time.sleep(0.05)
        assert LIMIT <= admitted < 2 * LIMIT
        assert (let_in(first, 3), let_in(second, 3)) == (0, 0)
        if where == "PostgreSQL":
            query = "select sum(n)::int from ops.api_rate where name like %s"
            with psycopg.connect(settings.url("owner"), autocommit=True) as connection:
                while scalar(connection, query, (f"%{keys.prefix_of(key)}%",)) != admitted:
                    time.sleep(0.05)


def test_without_redis_requests_are_answered_and_counted_by_each_server(module_world: World, key: str):
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    with servers(module_world.settings, 1, key_limit="2/year", redis=nowhere) as (address,):
        found = [httpx.get(f"{address}{MODELS}", headers={"X-API-Key": key}).status_code for _ in range(4)]
        services = httpx.get(f"{address}/v1/health/ready").json()["services"]
    assert found == [200, 200, 429, 429]
    (told,) = [each for each in services if each["name"] == "redis"]
    assert (told["is_ok"], told["detail"] != "") == (False, True)


def test_uses_are_written_while_the_server_runs(module_world: World, key: str):
    prefix = keys.prefix_of(key)
    with (
        servers(module_world.settings, 1) as (address,),
        psycopg.connect(module_world.settings.url("owner"), autocommit=True) as connection,
    ):
        httpx.get(f"{address}{MODELS}", headers={"X-API-Key": key})
        query = "select route from ops.api_key_use where prefix = %s"
        while (route := scalar(connection, query, (prefix,))) is None:
            time.sleep(0.05)
    assert route == MODELS


def answer_to(address: str, request: bytes) -> bytes:
    """What the server says to these bytes, until it closes the connection or has said a whole head."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(request)
        except ConnectionError:
            return b""
        said = b""
        try:
            while b"\r\n\r\n" not in said and (part := connection.recv(65536)):
                said += part
        except ConnectionError:
            pass
        return said


def test_requests_that_no_client_should_send_are_refused_and_the_server_lives(module_world: World, key: str):
    token = f"Authorization: Bearer {key}\r\n".encode()
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    put = f"PUT {PROFILE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode() + token
    get = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n"
    attacks = {
        "one large header": (get + b"X-Y: " + b"a" * MOST_HEADER_BYTES + b"\r\n\r\n", b"431"),
        "many headers": (
            get + b"".join(b"X-%d: y\r\n" % n for n in range(9000)) + b"\r\n",
            b"431",
        ),
        "a long address": (b"GET /v1/models?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n" + token + b"\r\n", b"414"),
        "a large body announced": (put + b"Content-Length: 99999999\r\n\r\n", b"413"),
        "a large body in chunks": (put + b"Transfer-Encoding: chunked\r\n\r\n" + 3 * chunk + b"0\r\n\r\n", b"413"),
        "a large body of a GET": (
            get + b"Content-Length: 99999999\r\n" + token + b"\r\n", b"413",
        ),
        "a length that is none": (put + b"Content-Length: -1\r\n\r\n", b"400"),
        "a NUL in a key": (get + b"X-API-Key: tl_\x00\r\n\r\n", b"400"),
        "a key of other bytes": (get + b"X-API-Key: tl_\xff\xfe\r\n\r\n", b"401"),
        "a line break in a key": (get + b"X-API-Key: tl_\r\n X\r\n\r\n", b"40"),
    }  # fmt: skip
    with servers(module_world.settings, 1) as (address,):
        found = {name: answer_to(address, request) for name, (request, _) in attacks.items()}
        assert httpx.get(f"{address}{MODELS}", headers={"X-API-Key": key}).status_code == 200
        assert httpx.get(f"{address}{PROFILE}", headers={"X-API-Key": key}).json()["updated_at"] is None
    assert {
        name: said[:60]
        for name, said in found.items()
        if not said.startswith(b"HTTP/1.1 " + attacks[name][1])
    } == {}


def test_who_asks_is_what_a_trusted_proxy_says_and_nobody_else(module_world: World):
    limits = {"anonymous": True, "address_limit": "2/year"}

    def ask(address: str, forwarded: str) -> int:
        return httpx.get(f"{address}{MODELS}", headers={"X-Forwarded-For": forwarded}).status_code

    with servers(module_world.settings, 1, proxies="127.0.0.0/8", **limits) as (address,):
        behind = [ask(address, host) for host in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")]
        # Of a household with IPv6 every address is the same; what a client adds in front counts for nothing.
        behind += [ask(address, f"192.0.2.{n}, 2001:db8::{n}") for n in range(3)]
    assert behind == [200, 200, 429, 200, 200, 200, 429]
    with servers(module_world.settings, 1, **limits) as (address,):
        assert [ask(address, f"198.51.100.{n}") for n in range(3)] == [200, 200, 429]


def test_a_server_that_others_reach_answers_nobody_without_a_key(module_world: World, key: str):
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "touchline.serving", "--host", "0.0.0.0", "--port", str(port)]
    with process(command, module_world.settings.model_copy(update={"as_of": NOW}), address):
        assert httpx.get(f"{address}{MODELS}").status_code == 401
        reply = httpx.get(f"{address}{MODELS}", headers={"X-API-Key": key})
    assert (reply.status_code, "ratelimit" in reply.headers) == (200, True)
