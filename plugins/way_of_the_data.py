"""Pages inside Airflow: the way of the data, each asset with its age and promise, and the pages of the board."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

PREFIX = "/touchline"


class OnFirstRequest:
    """The pages' application, made when it is first asked: every process of Airflow loads plugins, one serves pages."""

    def __init__(self) -> None:
        self._app: App | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Hand a request on."""
        if self._app is None:
            self._app = _application()
        await self._app(scope, receive, send)


def _application() -> App:
    from airflow.api_fastapi.core_api.security import requires_access_asset
    from fastapi import Depends, FastAPI

    from touchline.operations import way
    from touchline.serving.app import READING
    from touchline.serving.database import Reader
    from touchline.serving.kept import KEPT_SECONDS
    from touchline.serving.present import present_of
    from touchline.serving.problems import handle_problems
    from touchline.serving.shared import Memo, Serving
    from touchline.settings import read_settings

    settings = read_settings()
    may_read = [Depends(requires_access_asset("GET"))]
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=may_read)
    reader = Reader(settings)
    # Whoever looks is known to Airflow, not by a key: there are no accounts to read.
    app.state.serving = Serving(settings, reader, reader, present_of(settings), Memo(KEPT_SECONDS))
    app.state.links = way.LINKS
    handle_problems(app)
    for router in (way.router, *READING):
        app.include_router(router)
    return app


class WayOfTheData(AirflowPlugin):
    """Adds the pages, and an entry in the navigation that leads to them."""

    name = "way_of_the_data"
    fastapi_apps: ClassVar[list[Any]] = [
        {"name": "the way of the data", "app": OnFirstRequest(), "url_prefix": PREFIX}
    ]
    external_views: ClassVar[list[Any]] = [
        {
            "name": "Touchline", "href": f"{PREFIX}/", "url_route": "touchline", "destination": "nav",
            "nav_top_level": True,
        }
    ]  # fmt: skip
