"""The board's first page: what is predicted, by which model, and how it has done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from touchline import __version__
from touchline.database.queries import query
from touchline.errors import DatabaseUnavailable
from touchline.pages import environment
from touchline.serving import schemas
from touchline.serving.database import Reader
from touchline.serving.lists import MOST_PER_PAGE
from touchline.serving.prediction_routes import UNPREDICTED, UPCOMING
from touchline.serving.present import Present
from touchline.serving.record_routes import MODELS
from touchline.serving.state import State, read_state
from touchline.settings import Settings

N_FIXTURES = 100
MINUTE, HOUR, DAY = 60, 3600, 86400


def since(moment: datetime | None, now: datetime) -> str:
    """How long ago something was, or how far ahead it is, in words; both UTC."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    side, length = "ago" if seconds > 0 else "ahead", abs(seconds)
    if length < MINUTE:
        return "just now"
    if length < HOUR:
        return f"{length / MINUTE:.0f} min {side}"
    return f"{length / HOUR:.0f} h {side}" if length < 2 * DAY else f"{length / DAY:.0f} days {side}"


def percent(probability: float) -> str:
    """A probability as whole per cent, without the sign."""
    return f"{100 * probability:.0f}"


_pages = environment(Path(__file__).with_name("templates"))
_pages.filters |= {"since": since, "percent": percent}


@dataclass(frozen=True)
class Page:
    """A page as HTML; it is not ready while it can only say what is missing."""

    html: str
    is_ready: bool


async def page(settings: Settings, reader: Reader, present: Present, competition: str | None) -> Page:
    """The board with the fixtures of one or all competitions. Without data or database it says what to do."""
    state = await read_state(reader, present, settings.horizon_days)
    values: dict[str, Any] = {"state": state, "as_of": state.as_of, "competition": competition}
    if not state.reasons:
        try:
            values |= await _content(reader, state, competition)
        except DatabaseUnavailable as error:
            values["state"] = state = State((str(error),), has_database=False)
    html = render("board.html", settings, is_simulated=settings.is_simulated, **values)
    return Page(html, is_ready=not state.reasons)


def render(template: str, settings: Settings, **values: Any) -> str:
    """A page of the board as HTML."""
    given = {"version": __version__, "links": _links(settings)}
    return _pages.get_template(template).render(given | values)


async def _content(reader: Reader, state: State, competition: str | None) -> dict[str, Any]:
    champion = ("champion", state.as_of, None, None)
    counts = await reader.rows(query("serving/sql/upcoming_counts"), *champion, None)
    found = await UPCOMING.read(reader, N_FIXTURES, *champion, competition)
    models = await MODELS.read(reader, MOST_PER_PAGE)
    return {
        "counts": counts,
        "days": by_day(found),
        "n_shown": len(found),
        "n_upcoming": sum(row["n"] for row in counts if competition in (None, row["competition"])),
        "model": next((each for each in models if each.role == "champion"), None),
        "unpredicted": await UNPREDICTED.read(reader, MOST_PER_PAGE, state.as_of, competition),
        "track_record": await reader.rows(query("serving/sql/track_record")),
        "lately": await reader.rows(query("serving/sql/lately_settled")),
        "sources": await reader.rows("select * from analytics.source_health order by source"),
        "strongest": await reader.rows(query("serving/sql/strongest"), state.as_of, competition),
    }


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
    found: Sequence[schemas.UpcomingPrediction],
) -> list[tuple[str, list[schemas.UpcomingPrediction]]]:
    """Predictions by the day of their kick-off (UTC), in words, in their order."""
    days: dict[str, list[schemas.UpcomingPrediction]] = {}
    for prediction in found:
        days.setdefault(f"{prediction.kickoff_at:%A, %d %B %Y}", []).append(prediction)
    return list(days.items())
