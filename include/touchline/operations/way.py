"""The way of the data, as a page inside Airflow: every asset with its age and promise, and what is predicted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from touchline.accounts.profiles import Profile
from touchline.database.queries import query
from touchline.errors import DatabaseUnavailable
from touchline.operations import names, news
from touchline.pages import environment
from touchline.serving.board import by_day
from touchline.serving.database import Reader, Row
from touchline.serving.pages import below
from touchline.serving.prediction_routes import UPCOMING
from touchline.serving.present import Present
from touchline.serving.reading import FILTERS
from touchline.serving.shared import serving_of
from touchline.serving.state import State, read_state
from touchline.settings import Settings

N_FIXTURES: Final = 30

# The pages inside Airflow. They are those of the board, but for the first.
LINKS: Final = {
    "The way of the data": "/",
    "Track record": "/track-record",
    "Models": "/models",
    "Data": "/data",
}

AssetState = Literal["fresh", "late", "failed", "never"]


@dataclass(frozen=True)
class AssetAge:
    """An asset on its way: as of when (UTC, run clock) it was last made, what was new then, and whether it is late.

    `late` is the promise broken; `failed` says that the last run of its step failed, with the error's first line.
    """

    name: str
    dag: str
    made_as_of: datetime | None
    promise: timedelta
    state: AssetState
    error: str
    matches: str

    @property
    def promised(self) -> str:
        """The promise in words."""
        hours = self.promise / timedelta(hours=1)
        return f"{hours:.0f} h" if hours <= 48 else f"{hours / 24:.0f} days"


_pages = environment(Path(__file__).with_name("templates"))
_pages.filters |= FILTERS


router = APIRouter(include_in_schema=False)


@router.get("/")
async def show(request: Request) -> HTMLResponse:
    """The page as a reply: 503 while the database cannot be read."""
    serving = serving_of(request)
    html, is_read = await page(serving.settings, serving.reader, serving.present)
    return HTMLResponse(below(request, html), 200 if is_read else 503, headers={"Cache-Control": "no-store"})


async def page(settings: Settings, reader: Reader, present: Present) -> tuple[str, bool]:
    """The page as HTML, and whether the database could be read; if not, the page says what to do."""
    state = await read_state(reader, present, settings.horizon_days)
    values: dict[str, Any] = {
        "state": state, "is_simulated": settings.is_simulated, "stages": (), "days": (), "links": LINKS,
    }  # fmt: skip
    if state.as_of is not None and state.has_database:
        try:
            values |= await _content(reader, state)
        except DatabaseUnavailable as error:
            values["state"] = state = State((str(error),), has_database=False)
    return _pages.get_template("way.html").render(values), state.has_database


async def _content(reader: Reader, state: State) -> dict[str, Any]:
    assert state.as_of is not None, "asked for above"
    runs = await reader.rows(query("operations/sql/last_runs"), state.as_of)
    stages = [
        (title, [_asset(asset, *maker, runs, state.as_of) for asset, maker in assets.items()])
        for title, assets in names.STAGES
    ]
    if state.n_upcoming is None:
        return {"stages": stages}
    found = await UPCOMING.read(reader, N_FIXTURES, "champion", state.as_of, None, None, None, None)
    return {"stages": stages, "days": by_day(found, Profile().formats), "n_shown": len(found)}


def _asset(asset: str, dag: str, step: str, runs: Sequence[Row], as_of: datetime) -> AssetAge:
    own = [run for run in runs if _makes(run["step"], step)]
    made = max((run["as_of"] for run in own if run["as_of"] is not None), default=None)
    error = next((run["error"] or "no reason given" for run in own if run["status"] == "failed"), "")
    promise = names.PROMISED[asset]
    state: AssetState = "never" if made is None else "late" if as_of - made > promise else "fresh"
    told = " ".join(news.told(each) for each in _changes(asset, runs))
    return AssetAge(asset, dag, made, promise, "failed" if error else state, error.partition("\n")[0], told)


def _makes(recorded: str, step: str) -> bool:
    """Whether a recorded step is the one that is meant: `collect_fixtures+odds/football_data_uk` collects odds, too."""
    name = recorded.partition("/")[0]
    if not step.startswith("collect_"):
        return name == step
    return name.startswith("collect_") and step.removeprefix("collect_") in name.removeprefix(
        "collect_"
    ).split("+")


def _changes(asset: str, runs: Sequence[Row]) -> Iterator[Mapping[str, Any]]:
    """What the last build worked in, of an asset that a build makes."""
    if asset not in news.CHANGES:
        return
    for run in runs:
        if run["step"] == "build_core" and run["detail"] is not None:
            extent = json.loads(run["detail"]).get(news.CHANGES[asset])
            if extent:
                yield extent
