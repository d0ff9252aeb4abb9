"""A page inside Airflow: the way of the data, each asset with its age and promise, and the upcoming predictions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

PREFIX = "/touchline"


class OnFirstRequest:
    """The page's application, made when it is first asked: every process of Airflow loads plugins, one serves pages."""

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
    from fastapi.responses import HTMLResponse

    from touchline.operations import way
    from touchline.serving.database import Reader
    from touchline.serving.present import present_of
    from touchline.settings import read_settings

    settings = read_settings()
    reader, present = Reader(settings), present_of(settings)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/", dependencies=[Depends(requires_access_asset("GET"))])
    async def show() -> HTMLResponse:
        html, is_read = await way.page(settings, reader, present)
        return HTMLResponse(html, 200 if is_read else 503, headers={"Cache-Control": "no-store"})

    return app


class WayOfTheData(AirflowPlugin):
    """Adds the page, and its entry in the navigation."""

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
