"""What holds for every request, whatever its route: HEAD, parameters that no route has, and headers for browsers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from touchline.errors import nearest

_NEVER = "base-uri 'none'; frame-ancestors 'none'"
# A reply is data: should a browser show one as a page, that page can do nothing.
_DATA = f"default-src 'none'; form-action 'none'; {_NEVER}"
# The board is self-contained. Nothing may be loaded from or sent elsewhere, even if a team's name contained HTML. What
# is chosen in its forms comes back here.
_BOARD = f"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; {_NEVER}"
# Swagger UI and ReDoc are our own files, started by a script in the page; ReDoc searches in a worker.
_DOCUMENTATION = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    f"img-src 'self' data:; worker-src blob:; form-action 'none'; {_NEVER}"
)
# A report is one file, with its pictures in it.
_REPORT = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; {_NEVER}"
_POLICIES = {
    **dict.fromkeys(("/", "/track-record", "/models", "/data", "/sign-in"), _BOARD),
    **dict.fromkeys(("/docs", "/redoc"), _DOCUMENTATION),
}
# By the beginnings of their paths.
_FOLDERS = {
    **dict.fromkeys(("/matches/", "/competitions/", "/teams/"), _BOARD),
    "/models/reports/": _REPORT,
}


def browser_headers(path: str) -> dict[str, str]:
    """Headers of every reply at `path`: what a browser may make of it, and what it may tell others."""
    return {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": _policy(path),
    }


def is_page(path: str) -> bool:
    """Whether people look at what is at `path`: a page of the board, most of which are others for every user."""
    return _policy(path) in (_BOARD, _REPORT)


def _policy(path: str) -> str:
    of_a_folder = (policy for folder, policy in _FOLDERS.items() if path.startswith(folder))
    return _POLICIES.get(path) or next(of_a_folder, _DATA)


class HttpConduct:
    """ASGI middleware: HEAD is answered wherever GET is, and every reply has the headers above."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            # The server leaves the body out.
            scope["method"] = "GET"

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(browser_headers(scope["path"]))
            await send(message)

        await self._app(scope, receive, with_headers)


class CarefulRoute(APIRoute):
    """A route that refuses parameters without effect: those that it does not have, and those given twice."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler; it raises RequestValidationError, which names each and the nearest one that the route has."""
        handle = super().get_route_handler()
        known = [field.alias for field in get_flat_dependant(self.dependant, skip_repeats=True).query_params]

        async def handle_carefully(request: Request) -> Response:
            if request.scope["query_string"]:
                _refuse_unknown(request, known)
            return await handle(request)

        return handle_carefully


def _refuse_unknown(request: Request, known: list[str]) -> None:
    problems = []
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            kind, message = "unknown_parameter", f"there is no such parameter; {_advice(name, known)}"
        elif times > 1:
            kind, message = "repeated_parameter", "given more than once"
        else:
            continue
        problems.append(
            {"type": kind, "loc": ("query", name), "msg": message, "input": request.query_params[name]}
        )
    if problems:
        raise RequestValidationError(problems)


def _advice(name: str, known: list[str]) -> str:
    if found := nearest(name, known):
        return f"did you mean {found}?"
    return f"known are {', '.join(known)}" if known else "there is none here"
