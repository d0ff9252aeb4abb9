"""How each provider says no, and how servers in between do: replies that hold nothing of the world."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from touchline.sandbox.answer import Answer, Asked, json_answer
from touchline.sandbox.chance import pick
from touchline.sandbox.faults import Draw, Fault
from touchline.sandbox.formats import api_football, the_odds_api
from touchline.sources.simulated import API_FOOTBALL, FOOTBALL_DATA_ORG, THE_ODDS_API

HTML: Final = "text/html; charset=utf-8"
# Short, so that a reader that waits as it is told does not hold up a simulated week.
WAIT_SECONDS: Final = 1
PAGE: Final = """<!DOCTYPE html>
<html><head><title>Just a moment...</title></head>
<body><h1>We are down for maintenance</h1><p>Please try again, in a few minutes; we are sorry.</p></body></html>
"""


def refusal(asked: Asked, draw: Draw, now: datetime) -> tuple[Fault, Answer] | None:
    """The reply of a fault that leaves nothing of the provider's own, if one was drawn that this source has."""
    if Fault.SERVER_ERRORS in draw.faults:
        return Fault.SERVER_ERRORS, _server_error(draw)
    if Fault.RATE_LIMITED in draw.faults:
        return Fault.RATE_LIMITED, _rate_limited(asked, draw)
    if Fault.QUOTA_SPENT in draw.faults:
        spent = _quota_spent(asked, now)
        if spent is not None:
            return Fault.QUOTA_SPENT, spent
    if Fault.HTML in draw.faults:
        return Fault.HTML, Answer(200, PAGE.encode(), HTML)
    return None


def _server_error(draw: Draw) -> Answer:
    status = pick((500, 502, 503), *draw.dice, Fault.SERVER_ERRORS)
    reason = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Temporarily Unavailable"}[
        status
    ]
    body = f"<html><head><title>{status} {reason}</title></head><body>{status} {reason}</body></html>\n"
    return Answer(status, body.encode(), HTML)


def _rate_limited(asked: Asked, draw: Draw) -> Answer:
    if asked.source == FOOTBALL_DATA_ORG:
        return _org_limit(WAIT_SECONDS)
    if asked.source == THE_ODDS_API:
        message = "Requests are too frequent. See usage plans at https://the-odds-api.com"
        return the_odds_api.error(429, "EXCEEDED_FREQ_LIMIT", message)
    if asked.source == API_FOOTBALL:
        said = "Too many requests. Your rate limit is 10 requests per minute."
        body = api_football.envelope(asked, errors={"rateLimit": said}).body
        # The provider says so with status 200; proxies before it with 429.
        status = pick((200, 200, 429), *draw.dice, Fault.RATE_LIMITED)
        return Answer(status, body, "application/json", {"X-RateLimit-Remaining": "0"})
    return Answer(429, b"Too Many Requests", "text/plain", {"Retry-After": str(WAIT_SECONDS)})


def _quota_spent(asked: Asked, now: datetime) -> Answer | None:
    if asked.source == THE_ODDS_API:
        message = "Usage quota has been reached. See usage plans at https://the-odds-api.com"
        refused = the_odds_api.error(401, "OUT_OF_USAGE_CREDITS", message)
        return Answer(
            refused.status, refused.body, refused.content_type,
            {"x-requests-remaining": "0", "x-requests-last": "0"},
        )  # fmt: skip
    if asked.source == API_FOOTBALL:
        said = (
            "You have reached the request limit for the day, Go to https://dashboard.api-football.com to "
            "upgrade your plan."
        )
        body = api_football.envelope(asked, errors={"requests": said}).body
        return Answer(200, body, "application/json", {"x-ratelimit-requests-remaining": "0"})
    if asked.source == FOOTBALL_DATA_ORG:
        midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
        return _org_limit(int((midnight - now).total_seconds()))
    return None


def _org_limit(seconds: int) -> Answer:
    return json_answer(
        {"message": f"You reached your request limit. Wait {seconds} seconds.", "errorCode": 429},
        429,
        {"X-Requests-Available-Minute": "0", "X-RequestCounter-Reset": str(seconds)},
    )
