"""Airflow's web server answers its own pages and programs; pages of other sites it refuses.

A page of another site that a browser on this machine shows can send requests to the loopback address. One whose name
was pointed to that address meanwhile (DNS rebinding) can read the answers, too, but sends its name in the header Host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class OwnPagesOnly:
    """Answers 403 where Host is not this server, or where Origin is the page of another."""

    def __init__(self, app: App) -> None:
        self._app = app
        addresses = (("api", "base_url"), ("core", "execution_api_server_url"))
        self._own = {_host_of(conf.get(*each, fallback=None) or "") for each in addresses} - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request that may pass."""
        if scope["type"] != "http" or self._may_pass(scope["headers"]):
            await self._app(scope, receive, send)
            return
        body = b"Host or Origin is not this server"
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _may_pass(self, headers: list[tuple[bytes, bytes]]) -> bool:
        hosts, origins = (
            [value.decode("latin-1") for name, value in headers if name == wanted]
            for wanted in (b"host", b"origin")
        )
        if len(hosts) != 1 or not (hosts[0] in self._own or _cannot_be_rebound(hosts[0])):
            return False
        return all(_host_of(origin) in {*hosts, *self._own} for origin in origins)


def _host_of(address: str) -> str:
    """Host and port of an address; nothing where it has none."""
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def _cannot_be_rebound(host: str) -> bool:
    """Whether no name server can say where a host is: it is localhost, or an address and not a name."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ipaddress.ip_address(name))
    except ValueError:
        return False


class OwnPagesOnlyPlugin(AirflowPlugin):
    """Puts the check in front of every page and route."""

    name = "own_pages_only"
    fastapi_root_middlewares: ClassVar[list[Any]] = [{"name": "own pages only", "middleware": OwnPagesOnly}]
