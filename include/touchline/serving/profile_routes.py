"""Routes of one user, who is the key that asks: profile, predictions and alerts of the favourites."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from touchline.accounts.formats import Formats
from touchline.accounts.keys import Key
from touchline.accounts.profiles import Profile, Stored, objections, stored_profile
from touchline.clock import live_clock
from touchline.database.queries import query
from touchline.serving import profile_schemas as schemas
from touchline.serving.database import Reader, Row
from touchline.serving.http import CarefulRoute
from touchline.serving.problems import documented
from touchline.serving.schemas import Prices, Probabilities
from touchline.serving.shared import serving_of
from touchline.serving.visitor import key_of

SIDES = ("home", "draw", "away")
MOST = 500

Caller = Annotated[Key, Depends(key_of)]


def profile_routes(store: Reader) -> APIRouter:
    """The routes under /v1/me; `store` reads and writes profiles with the role `access`."""
    router = APIRouter(
        prefix="/v1/me", tags=["me"], dependencies=[Depends(keep_from_caches)], route_class=CarefulRoute
    )
    refusals = documented(401, 403, 429, 503)

    async def stored(key: Key) -> Stored:
        return stored_profile(await store.row(query("accounts/sql/profile"), key.prefix))

    @router.get("/profile", responses=refusals)
    async def my_profile(key: Caller) -> schemas.StoredProfile:
        """The profile of the key that asks; before it is first written, the one that everybody begins with."""
        return _told(key, await stored(key))

    @router.put("/profile", responses={**refusals, **documented(400, 408, 413)})
    async def write_my_profile(request: Request, key: Caller, profile: Profile) -> schemas.StoredProfile:
        """Replace the profile. What is left out becomes what it is at the beginning."""
        serving = serving_of(request)
        teams = await serving.teams()
        found = objections(profile, list(await serving.competitions()), set(teams.values()))
        if found:
            raise RequestValidationError(
                [
                    {
                        "type": "unknown_name",
                        "loc": ("body", *each.where),
                        "msg": each.told,
                        "input": each.value,
                    }
                    for each in found
                ]
            )
        row = await store.row(
            query("accounts/sql/write_profile"), key.prefix, *profile.row(), live_clock().as_of
        )
        return _told(key, stored_profile(row))

    @router.get("/predictions", responses=refusals)
    async def my_predictions(
        request: Request,
        key: Caller,
        limit: Annotated[int, Query(ge=1, le=MOST, description="at most this many")] = 100,
    ) -> schemas.MyPredictions:
        """The latest prediction of every fixture ahead of the favourites, soonest first."""
        profile, serving = (await stored(key)).profile, serving_of(request)
        formats, as_of = profile.formats, (await serving.moment()).as_of
        found = await serving.reader.rows(
            query("accounts/sql/favourites"), as_of, profile.competitions, profile.teams, None, limit
        )
        return schemas.MyPredictions(
            as_of=as_of,
            is_simulated=serving.settings.is_simulated,
            total=found[0]["n_fixtures"] if found else 0,
            predictions=[_prediction(row, formats) for row in found if row["prediction_id"] is not None],
        )

    @router.get("/alerts", responses=refusals)
    async def my_alerts(request: Request, key: Caller) -> schemas.MyAlerts:
        """Which of the subscriptions apply now, by the run clock; at most 500 of each kind."""
        profile, serving = (await stored(key)).profile, serving_of(request)
        as_of = (await serving.moment()).as_of
        return schemas.MyAlerts(
            as_of=as_of,
            is_simulated=serving.settings.is_simulated,
            alerts=await _alerts(serving.reader, profile, as_of),
        )

    return router


async def keep_from_caches(response: Response) -> None:
    """What one user sees is nobody else's, and the address is the same for all."""
    response.headers["Cache-Control"] = "no-store"


async def _alerts(reader: Reader, profile: Profile, as_of: datetime) -> list[schemas.Alert]:
    wanted, formats = profile.alerts, profile.formats
    favourites = (as_of, profile.competitions, profile.teams)
    found: list[schemas.Alert] = []

    async def look(kind: schemas.AlertKind, name: str, bound: Any, write: Callable[[Row], str]) -> None:
        rows = await reader.rows(query(f"accounts/sql/{name}"), *favourites, bound, MOST)
        found.extend(
            _alert(kind, row, formats, f"{row['home_team']} - {row['away_team']} {write(row)}")
            for row in rows
        )

    if wanted.kickoff_soon_minutes is not None:
        until = as_of + timedelta(minutes=wanted.kickoff_soon_minutes)
        await look(
            "kickoff_soon", "favourites", until, lambda row: f"kicks off {formats.time(row['kickoff_at'])}"
        )
    if wanted.prediction_moved is not None:
        await look(
            "prediction_moved", "moved", wanted.prediction_moved,
            lambda row: f"moved by {formats.percent(row['moved_by'])}",
        )  # fmt: skip
    if wanted.settled_hours is not None:
        since = as_of - timedelta(hours=wanted.settled_hours)
        await look(
            "settled", "settled", since,
            lambda row: f"ended {row['home_goals']}:{row['away_goals']}, "
            f"the forecast was {'right' if row['is_correct'] else 'wrong'}",
        )  # fmt: skip
    return found


def _told(key: Key, stored: Stored) -> schemas.StoredProfile:
    return schemas.StoredProfile(key=key.prefix, profile=stored.profile, updated_at=stored.updated_at)


def _match(row: Row, formats: Formats) -> dict[str, Any]:
    names = ("match_id", "competition", "home_team", "away_team", "kickoff_at")
    return {name: row[name] for name in names} | {
        "kickoff_local": formats.local(row["kickoff_at"]),
        "kickoff_written": formats.time(row["kickoff_at"]),
    }


def _prediction(row: Row, formats: Formats) -> schemas.MyPrediction:
    fair = {side: 1 / row[f"p_{side}"] if row[f"p_{side}"] else None for side in SIDES}
    best = {side: row[f"best_price_{side}"] for side in SIDES}
    percent = {side: formats.percent(row[f"p_{side}"]) for side in SIDES}
    return schemas.MyPrediction(
        **_match(row, formats),
        **{name: row[name] for name in ("competition_name", "season", "prediction_id", "predicted_at")},
        probabilities=_probabilities(row, "p"),
        probabilities_written=schemas.Written(**percent),
        fair_prices=Prices(**fair),
        fair_prices_written=schemas.Written(**{side: formats.price(fair[side]) for side in SIDES}),
        best_prices=Prices(**best),
        best_prices_written=schemas.Written(**{side: formats.price(best[side]) for side in SIDES}),
    )


def _alert(kind: schemas.AlertKind, row: Row, formats: Formats, written: str) -> schemas.Alert:
    of_its_kind = ("moved_by", "home_goals", "away_goals", "outcome", "is_correct", "settled_at")
    return schemas.Alert(
        kind=kind,
        written=written,
        **_match(row, formats),
        prediction_id=row["prediction_id"],
        probabilities=None if row["prediction_id"] is None else _probabilities(row, "p"),
        before=_probabilities(row, "before") if kind == "prediction_moved" else None,
        **{name: row.get(name) for name in of_its_kind},
    )


def _probabilities(row: Row, name: str) -> Probabilities:
    return Probabilities(**{side: row[f"{name}_{side}"] for side in SIDES})
