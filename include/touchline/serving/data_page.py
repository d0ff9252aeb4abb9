"""The page of the data: what is wrong and what to do, checks, what could not be used, sources, ages of tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from touchline.database.queries import query
from touchline.monitoring.shortfalls import STALE_AFTER
from touchline.quality.rules import catalogue
from touchline.serving.database import Row
from touchline.serving.http import CarefulRoute
from touchline.serving.lists import MOST_PER_PAGE
from touchline.serving.match_routes import COMPETITIONS
from touchline.serving.pages import shown
from touchline.serving.record_routes import FRESHNESS
from touchline.serving.schemas import Competition
from touchline.serving.shared import serving_of
from touchline.serving.state import State, read_state

# As far back as what could not be used is counted.
REJECTED_FOR: Final = timedelta(days=60)

router = APIRouter(include_in_schema=False, route_class=CarefulRoute)


@router.get("/data")
async def data_page(request: Request) -> HTMLResponse:
    """How the data stand: what is wrong and what to do about it, and behind it every check, source and layer."""
    serving = serving_of(request)
    reader, as_of = serving.reader, (await serving.moment()).as_of
    state = await read_state(reader, serving.present, serving.settings.horizon_days)
    sources = await reader.rows(query("serving/sql/sources"))
    competitions = await COMPETITIONS.read(reader, MOST_PER_PAGE)
    return await shown(
        request,
        "data.html",
        state=state,
        wrong=list(_wrong(state, sources, competitions, as_of)),
        failed=await reader.rows(query("serving/sql/failed_expectations")),
        rejected=await reader.rows(query("serving/sql/rejected_counts"), as_of - REJECTED_FOR),
        rejected_days=REJECTED_FOR.days,
        rules=catalogue(),
        sources=sources,
        layers=await reader.rows(query("serving/sql/layers")),
        newest=await FRESHNESS.read(reader, MOST_PER_PAGE),
        competitions=competitions,
        promised=STALE_AFTER,
    )


def _wrong(
    state: State, sources: Sequence[Row], competitions: Sequence[Competition], as_of: datetime
) -> Iterator[tuple[str, str]]:
    """What is wrong, the gravest first, each with what to do."""
    for each in state.shortfalls:
        yield each.message, each.what_to_do
    for source in sources:
        name, spent_until = source["source"], source["quota_spent_until"]
        if source["circuit"] != "closed":
            told = f"{name} is not called after {source['n_failures']} failures in a row"
            yield told, "it is asked again by itself; `touchline sources` says what failed"
        if spent_until is not None and spent_until > as_of:
            told = f"the quota of {name} is spent until {spent_until:%Y-%m-%d %H:%M} UTC"
            yield told, "the others go on; a larger quota is set in config/sources.yaml"
        if source["n_unparsed"]:
            told = f"{source['n_unparsed']} bodies of {name} have not been read"
            yield told, "`touchline rejects` says why; `touchline rejects replay` reads them again"
    for competition in competitions:
        if competition.n_overdue_results:
            told = f"{competition.n_overdue_results} matches of {competition.name} should have a result and have none"
            yield told, "`touchline collect`; `touchline sources` says which source gives them"
