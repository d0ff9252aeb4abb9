"""The page of a team: its ratings, what it did, what is ahead, and how well its matches were forecast."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from touchline.database.queries import query
from touchline.serving.charts import line_chart
from touchline.serving.http import CarefulRoute
from touchline.serving.lists import MOST_PER_PAGE
from touchline.serving.match_routes import MATCHES, SEASON_AHEAD
from touchline.serving.pages import ENDS, shown
from touchline.serving.parameters import TeamId
from touchline.serving.prediction_routes import UPCOMING
from touchline.serving.shared import serving_of

N_FORM: Final = 10
N_AHEAD: Final = 6
RATED_FOR: Final = timedelta(days=3 * 365)

router = APIRouter(include_in_schema=False, route_class=CarefulRoute)


@router.get("/teams/{team_id}")
async def team_page(request: Request, team_id: TeamId) -> HTMLResponse:
    """A team: its ratings over three years, its last and next matches, and how well the champion forecast it."""
    serving = serving_of(request)
    reader = serving.reader
    team = await reader.row(query("serving/sql/team"), team_id)
    if team is None:
        raise HTTPException(404, f"there is no team {team_id}; /v1/teams lists them")
    as_of, competition = (await serving.moment()).as_of, team["competition"]
    ratings = await reader.rows(query("serving/sql/team_ratings"), team_id, as_of - RATED_FOR)
    said = await UPCOMING.read(reader, MOST_PER_PAGE, "champion", as_of, None, None, competition, None)
    seasons = await SEASON_AHEAD.read(reader, MOST_PER_PAGE, competition, None) if competition else []
    return await shown(
        request,
        "team.html",
        team=team,
        ratings=ratings,
        chart=line_chart({"Elo": [(row["kickoff_at"], row["elo"]) for row in ratings]}),
        form=await reader.rows(query("serving/sql/form"), team_id, as_of, N_FORM),
        ahead=await MATCHES.read(reader, N_AHEAD, None, None, as_of, None, team_id, "scheduled"),
        said={each.match_id: each for each in said},
        records=await reader.rows(query("serving/sql/team_record"), team_id),
        season=next((each for each in seasons if each.team_id == team_id), None),
        ends=ENDS,
    )
