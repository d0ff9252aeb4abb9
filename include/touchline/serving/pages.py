"""The pages of the board: what is ahead, a match, a competition; and how every page is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse

from touchline.database.queries import query
from touchline.lineage.report import svg
from touchline.lineage.trace import whose_word_counts
from touchline.serving import board, market_replies, parameters, schemas
from touchline.serving.board import by_day, render
from touchline.serving.chart import SIDES, movement
from touchline.serving.http import CarefulRoute
from touchline.serving.kept import KEPT_PAGE
from touchline.serving.lineages import learned_by, lineage_of
from touchline.serving.lists import MOST_PER_PAGE
from touchline.serving.match_routes import MATCH, PRICE_HISTORY, SEASON_AHEAD, STANDINGS
from touchline.serving.parameters import Code, MatchId, refuse_unknown
from touchline.serving.prediction_routes import PREDICTION, UPCOMING
from touchline.serving.problems import RETRY_AFTER
from touchline.serving.record_routes import TRACK_RECORD
from touchline.serving.shared import serving_of
from touchline.serving.visitor import visitor_of

# Scorelines with more goals of a side than this are seldom one in two hundred.
MOST_GOALS: Final = 6
N_FORM: Final = 6
# How a season can end, as the columns of a forecast and in words.
ENDS: Final = {
    "p_title": "title",
    "p_championship_play_off": "title play-offs",
    "p_champions_league": "Champions League",
    "p_europe": "Europe",
    "p_promotion": "promotion",
    "p_promotion_play_off": "promotion play-offs",
    "p_relegation_play_off": "relegation play-offs",
    "p_relegation": "relegation",
}

router = APIRouter(include_in_schema=False, route_class=CarefulRoute)


@router.get("/")
async def front_page(
    request: Request,
    team: Annotated[UUID | None, Depends(parameters.chosen_team)],
    competition: parameters.ChosenCompetition = None,
    first: parameters.FirstDay = None,
    last: parameters.LastDay = None,
) -> HTMLResponse:
    """What is ahead, and how the forecasts have done."""
    serving = serving_of(request)
    asked = board.Asked(competition, team, first, last)
    page = await board.page(
        serving.settings, serving.reader, serving.present, asked, await visitor_of(request)
    )
    if not page.is_ready:
        return HTMLResponse(page.html, 503, headers={"Cache-Control": "no-store"} | RETRY_AFTER)
    return HTMLResponse(page.html, headers=dict(KEPT_PAGE))


@router.get("/matches/{match_id}")
async def match_page(request: Request, match_id: MatchId) -> HTMLResponse:
    """A match: what is forecast and why, what the market says, what came of it."""
    serving = serving_of(request)
    match = await MATCH.read(serving.reader, match_id)
    if match is None:
        raise HTTPException(404, f"there is no match {match_id}; the board at / shows those ahead")
    as_of = (await serving.moment()).as_of
    row = await serving.reader.by_key(query("serving/sql/last_word"), match_id, as_of)
    said = None if row is None else await PREDICTION.read(serving.reader, row["prediction_id"])
    lineage = (
        None if row is None else await lineage_of(serving.reader, serving.settings, row["prediction_id"])
    )
    odds = whose_word_counts(serving.settings)["odds"]
    market = await PRICE_HISTORY.read(serving.reader, MOST_PER_PAGE, match_id, as_of, odds)
    history = [each for each in match.predictions if each.role == "champion" and each.predicted_at <= as_of]
    form = {
        team: await serving.reader.rows(query("serving/sql/form"), team_id, match.kickoff_at, N_FORM)
        for team, team_id in ((match.home_team, match.home_team_id), (match.away_team, match.away_team_id))
    }
    return await shown(
        request,
        "match.html",
        match=match,
        prediction=said,
        markets=None if row is None else market_replies.markets(row),
        grid=[] if said is None else heat_map(said.scoreline_grid),
        best=best_prices(match.quotes),
        consensus={
            (each.market, each.line, each.stage): each
            for each in match.quotes
            if each.bookmaker == "consensus"
        },
        history=history,
        market=market,
        chart=movement(history, market, min(as_of, match.kickoff_at)),
        lineage=lineage,
        picture=None if lineage is None else svg(lineage, await learned_by(serving.reader, lineage)),
        form=form,
    )


@router.get("/competitions/{code}")
async def competition_page(
    request: Request,
    code: Code,
    season: parameters.Season = None,
) -> HTMLResponse:
    """A competition: its table, and what is forecast."""
    serving = serving_of(request)
    await refuse_unknown(request, code)
    as_of = (await serving.moment()).as_of
    ahead = await UPCOMING.read(serving.reader, MOST_PER_PAGE, "champion", as_of, None, None, code, None)
    return await shown(
        request,
        "competition.html",
        name=(await serving.competitions())[code],
        table=await STANDINGS.read(serving.reader, MOST_PER_PAGE, code, season),
        seasons=await SEASON_AHEAD.read(serving.reader, MOST_PER_PAGE, code, season),
        ends=ENDS,
        days=by_day(ahead, (await visitor_of(request)).formats),
        records=await TRACK_RECORD.read(serving.reader, MOST_PER_PAGE, code, None, None, None),
    )


def heat_map(grid: Sequence[Sequence[float]]) -> list[list[tuple[float, float]]]:
    """Probabilities of scorelines up to MOST_GOALS a side, each with its share of the largest; rows are home goals."""
    shown = [row[: MOST_GOALS + 1] for row in grid[: MOST_GOALS + 1]]
    largest = max((p for row in shown for p in row), default=1.0) or 1.0
    return [[(p, p / largest) for p in row] for row in shown]


def best_prices(quotes: Sequence[schemas.Quote]) -> Mapping[tuple[str, float, str], float]:
    """The best pre-match price on offer by market, line and side, over all bookmakers."""
    best: dict[tuple[str, float, str], float] = {}
    for quote in quotes:
        if quote.stage != "prematch" or quote.bookmaker == "consensus":
            continue
        for side in (*SIDES, "over", "under"):
            price = getattr(quote, f"price_{side}")
            key = (quote.market, quote.line, side)
            if price is not None and price > best.get(key, 0):
                best[key] = price
    return best


async def shown(request: Request, template: str, **values: Any) -> HTMLResponse:
    """A page as a reply. The application's state may have `links` of its own, instead of those of the board; its
    visitors are not known by keys.

    Raises DatabaseUnavailable.
    """
    serving = serving_of(request)
    given = {"as_of": (await serving.moment()).as_of, "is_simulated": serving.settings.is_simulated}
    if (links := getattr(request.app.state, "links", None)) is not None:
        given |= {"links": links, "has_accounts": False}
    html = render(template, serving.settings, await visitor_of(request), **given, **values)
    return HTMLResponse(below(request, html), headers=dict(KEPT_PAGE))


def below(request: Request, html: str) -> str:
    """A page whose addresses begin with the folder that the application is mounted in, if it is in one."""
    root = request.scope.get("root_path", "")
    # Names cannot be mistaken for addresses: their quotes are escaped.
    return re.sub(r'\b(href|action)="/', rf'\1="{root}/', html) if root else html
