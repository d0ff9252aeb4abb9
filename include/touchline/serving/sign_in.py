"""How a browser signs in with a key, and out again."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from touchline.accounts.keys import KEY, UNKNOWN, digest_of
from touchline.accounts.sessions import COOKIE, VALID_SECONDS, issue
from touchline.serving.access import CHALLENGE, AccessControl, sign_in_page
from touchline.serving.http import CarefulRoute
from touchline.settings import Settings

# An address of ours: a browser takes two slashes, or one and a backslash, for another host.
OURS: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def sign_in_routes(control: AccessControl, settings: Settings) -> APIRouter:
    """The pages that begin and end a session."""
    router = APIRouter(include_in_schema=False, route_class=CarefulRoute)

    @router.get("/sign-in")
    async def ask_for_key() -> HTMLResponse:
        return HTMLResponse(sign_in_page(settings))

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        refuse_other_sites(request)
        sent = parse_qs((await request.body()).decode("utf-8", "replace"))
        to, text = sent.get("to", ["/"])[0], sent.get("key", [""])[0].strip()

        def refused(why: str) -> Response:
            return HTMLResponse(sign_in_page(settings, to, f"This key {why}."), 401, CHALLENGE)

        found, now = KEY.fullmatch(text), control.clock()
        if found is None:
            return refused("is not whole (tl_, 8 characters, _, 43 characters)")
        prefix, digest = found[1], digest_of(found[2])
        key = await control.keys.find(prefix)
        if key is None:
            return refused(UNKNOWN)
        if objection := key.objection_to(digest, now):
            return refused(objection)
        if "read" not in key.scopes:
            return refused("may not read")
        control.uses.note(prefix, "/sign-in", 303)
        reply = RedirectResponse(to if OURS.fullmatch(to) else "/", 303)
        reply.set_cookie(
            COOKIE, issue(prefix, digest, control.password, now), max_age=VALID_SECONDS, httponly=True,
            secure=request.url.scheme == "https", samesite="strict",
        )  # fmt: skip
        return reply

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        refuse_other_sites(request)
        reply = RedirectResponse("/", 303)
        reply.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return reply

    return router


def refuse_other_sites(request: Request) -> None:
    """Raise HTTPException (403) when the form was sent by a page of another site, as far as the browser says."""
    site, origin = (request.headers.get(name) for name in ("sec-fetch-site", "origin"))
    is_ours = site in (None, "same-origin", "none") and (
        # Our pages tell nobody where they are.
        origin in (None, "null") or urlsplit(origin).netloc == request.headers.get("host")
    )
    if not is_ours:
        raise HTTPException(403, "a page of another site has sent this: open /sign-in itself")
