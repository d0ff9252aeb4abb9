"""The board's first page: what is predicted, by which model, and how it has done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from touchline import __version__
from touchline.accounts.formats import Formats
from touchline.database.queries import query
from touchline.errors import DatabaseUnavailable
from touchline.pages import environment
from touchline.serving import schemas
from touchline.serving.database import Reader
from touchline.serving.lists import MOST_PER_PAGE
from touchline.serving.prediction_routes import MOVES, UNPREDICTED, UPCOMING
from touchline.serving.present import Present
from touchline.serving.reading import FILTERS, at, read_by
from touchline.serving.record_routes import MODELS
from touchline.serving.state import State, read_state
from touchline.serving.visitor import Visitor
from touchline.settings import Settings

N_FIXTURES: Final = 100
N_MOVERS: Final = 5
# Half a point is written as none.
SMALLEST_MOVE: Final = 0.005

_pages = environment(Path(__file__).with_name("templates"))
_pages.filters |= FILTERS


@dataclass(frozen=True)
class Asked:
    """Which fixtures are to be shown; days are those of the reader's time zone, both included."""

    competition: str | None = None
    team: UUID | None = None
    first: date | None = None
    last: date | None = None

    def filters(self, formats: Formats) -> tuple[datetime | None, datetime | None, str | None, UUID | None]:
        """From, to, competition and team, as the lists of fixtures take them."""
        first, last = (
            None if day is None else datetime.combine(day, time(), formats.zone)
            for day in (self.first, None if self.last is None else self.last + timedelta(days=1))
        )
        until = None if last is None else last - timedelta(microseconds=1)
        return first, until, self.competition, self.team


@dataclass(frozen=True)
class Page:
    """A page as HTML; it is not ready while it can only say what is missing."""

    html: str
    is_ready: bool


async def page(settings: Settings, reader: Reader, present: Present, asked: Asked, visitor: Visitor) -> Page:
    """The board with the fixtures that are asked for. Without data or database it says what to do."""
    state = await read_state(reader, present, settings.horizon_days)
    values: dict[str, Any] = {"state": state, "as_of": state.as_of, "asked": asked}
    if not state.reasons:
        try:
            values |= await _content(reader, state, asked, visitor)
        except DatabaseUnavailable as error:
            values["state"] = state = State((str(error),), has_database=False)
    html = render("board.html", settings, visitor, is_simulated=settings.is_simulated, **values)
    return Page(html, is_ready=not state.reasons)


def render(template: str, settings: Settings, visitor: Visitor, **values: Any) -> str:
    """A page of the board as HTML, written as the visitor reads."""
    zone = visitor.formats.zone.key
    given = {
        "version": __version__,
        "links": _links(settings),
        "zone": zone,
        "signed_in": visitor.key,
        "has_accounts": True,
    }
    with read_by(visitor.formats):
        return _pages.get_template(template).render(given | values)


async def _content(reader: Reader, state: State, asked: Asked, visitor: Visitor) -> dict[str, Any]:
    formats, profile = visitor.formats, visitor.profile
    given = asked.filters(formats)
    counts = await reader.rows(
        query("serving/sql/upcoming_counts"), "champion", state.as_of, None, None, None
    )
    # Of the favourites those that come late, too.
    most = MOST_PER_PAGE if profile.competitions or profile.teams else N_FIXTURES
    found = await UPCOMING.read(reader, most, "champion", state.as_of, *given)
    favourites: list[schemas.UpcomingPrediction] = []
    others: list[schemas.UpcomingPrediction] = []
    for each in found:
        liked = visitor.likes(each.competition, each.home_team, each.away_team)
        (favourites if liked else others).append(each)
    favourites = favourites[:N_FIXTURES]
    others = others[: N_FIXTURES - len(favourites)]
    models = await MODELS.read(reader, MOST_PER_PAGE)
    moves: list[schemas.Move] = await MOVES.read(reader, MOST_PER_PAGE, state.as_of, *given)
    return {
        "counts": sorted(counts, key=lambda row: row["competition"] not in profile.competitions),
        "teams": await reader.rows(query("serving/sql/upcoming_teams"), state.as_of),
        "groups": [
            (name, by_day(fixtures, formats))
            for name, fixtures in (("Your favourites", favourites), ("Others" if favourites else "", others))
            if fixtures
        ],
        "moves": {each.match_id: largest(each) for each in moves if each.moved_by >= SMALLEST_MOVE},
        "movers": [each for each in moves[:N_MOVERS] if each.moved_by >= SMALLEST_MOVE],
        "is_filtered": asked != Asked(),
        "n_shown": len(favourites) + len(others),
        "most_shown": N_FIXTURES,
        "n_upcoming": sum(row["n"] for row in counts),
        "model": next((each for each in models if each.role == "champion"), None),
        "unpredicted": await UNPREDICTED.read(reader, MOST_PER_PAGE, state.as_of, asked.competition),
        "track_record": await reader.rows(query("serving/sql/track_record")),
        "lately": await reader.rows(query("serving/sql/lately_settled")),
        "sources": await reader.rows("select * from analytics.source_health order by source"),
        "strongest": await reader.rows(query("serving/sql/strongest"), state.as_of, asked.competition),
    }


def largest(move: schemas.Move) -> tuple[str, float]:
    """The outcome whose probability moved farthest, and by how much."""
    moves: Mapping[str, float] = dict(move.moves)
    side = max(moves, key=lambda each: abs(moves[each]))
    return side, moves[side]


def _links(settings: Settings) -> dict[str, str]:
    airflow = f"http://127.0.0.1:{settings.running_port('airflow-api', settings.airflow_port)}"
    mlflow = f"http://127.0.0.1:{settings.running_port('mlflow', settings.mlflow_port)}"
    return {
        "Board": "/",
        "Track record": "/track-record",
        "Models": "/models",
        "Data": "/data",
        "API": "/docs",
        "Airflow": airflow,
        "MLflow": settings.mlflow_tracking_uri or mlflow,
    }


def by_day(
    found: Sequence[schemas.UpcomingPrediction], formats: Formats
) -> list[tuple[str, list[schemas.UpcomingPrediction]]]:
    """Predictions by the day of their kick-off in the reader's time zone, in words, in their order."""
    days: dict[str, list[schemas.UpcomingPrediction]] = {}
    with read_by(formats):
        for prediction in found:
            days.setdefault(at(prediction.kickoff_at, "EEEE, dd MMMM y"), []).append(prediction)
    return list(days.items())
