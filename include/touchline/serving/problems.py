"""Errors as problem details (RFC 9457): every reply that is not a success says what is wrong and what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import isfinite
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from touchline.errors import DatabaseUnavailable
from touchline.serving.http import browser_headers

MEDIA_TYPE = "application/problem+json"
NOT_BUILT = "the warehouse is not built yet: run `make run`, or `touchline collect` and `touchline build`"
NOT_MIGRATED = "the database is not migrated: run `touchline database start`"
RETRY_AFTER = {"Retry-After": "5"}


class Problem(BaseModel):
    """A problem document as defined by RFC 9457."""

    title: str = Field(examples=["Not Found"], description="name of the status")
    status: int = Field(examples=[404], description="HTTP status")
    detail: str = Field(examples=["there is no match 00000000-0000-0000-0000-000000000000"])
    errors: list[dict[str, Any]] | None = Field(
        default=None, description="which parameters were refused, and why; only with status 422"
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may reply with these statuses, for the OpenAPI document."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def refused_parameter(name: str, value: object, message: str) -> RequestValidationError:
    """The error for a parameter that cannot be used, with what to write instead."""
    return RequestValidationError(
        [{"type": "value_error", "loc": ("query", name), "msg": message, "input": value}]
    )


def handle_problems(app: FastAPI) -> None:
    """Make every error of the application a problem document."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = error.detail
        if detail == HTTPStatus(error.status_code).phrase:
            detail = f"{request.method} {request.url.path} is not served; /docs lists what is"
        headers = error.headers
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Of all routes with this path; and who answers GET answers HEAD.
            allowed = {"GET", "HEAD"}.union(
                *(
                    route.methods or ()
                    for route in app.routes
                    if isinstance(route, Route) and route.matches(request.scope)[0] != Match.NONE
                )
            )
            headers = {"Allow": ", ".join(sorted(allowed))}
        return problem_reply(error.status_code, detail, headers=headers)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        problems = [_told(problem) for problem in error.errors()]
        where = (
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in problems
        )
        return problem_reply(422, "; ".join(where), errors=problems)

    async def unavailable(_: Request, error: Exception) -> Response:
        return problem_reply(503, str(error), headers=RETRY_AFTER)

    async def not_built(_: Request, __: Exception) -> Response:
        return problem_reply(503, NOT_BUILT, headers=RETRY_AFTER)

    async def not_migrated(_: Request, __: Exception) -> Response:
        return problem_reply(503, NOT_MIGRATED, headers=RETRY_AFTER)

    async def broken(request: Request, _: Exception) -> Response:
        # This reply alone is made outside of all middleware.
        headers = browser_headers(request.url.path)
        return problem_reply(500, "internal error; the API's log has the details", headers=headers)

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(DatabaseUnavailable, unavailable)
    app.add_exception_handler(asyncpg.UndefinedTableError, not_built)
    # A newer version of us reads what an older database has not granted yet.
    app.add_exception_handler(asyncpg.InsufficientPrivilegeError, not_migrated)
    app.add_exception_handler(Exception, broken)


def problem_reply(
    status: int,
    detail: str,
    *,
    errors: Sequence[dict[str, Any]] | None = None,
    headers: Any = None,
) -> Response:
    """An error as its reply."""
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if errors is not None:
        content["errors"] = errors
    # Refused text is part of the reply, and half a character of it cannot be sent as it is.
    return Response(json.dumps(content), status, media_type=MEDIA_TYPE, headers=headers)


def _told(problem: Mapping[str, Any]) -> dict[str, Any]:
    """What was refused and why. What was given is repeated where it is one value: a structure may be too deep."""
    told = {name: problem[name] for name in ("type", "loc", "msg")}
    given = problem.get("input")
    if isinstance(given, float) and not isfinite(given):
        given = str(given)
    return told | {"input": given} if isinstance(given, str | int | float | None) else told
