"""`python clients/python/document.py` writes the API's OpenAPI document beside itself: what the client is made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from touchline.serving.app import create_app
from touchline.settings import Settings

DOCUMENT = Path(__file__).with_name("openapi.json")


def document() -> str:
    """The document as the present code serves it; nothing runs for it."""

    async def no_present() -> datetime | None:
        return None

    return "\n".join(_lines(create_app(Settings(), no_present).openapi())) + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    """JSON with a line for each route and each schema, so that a change shows where it is."""
    paths, schemas = document["paths"], document["components"]["schemas"]
    head = {name: value for name, value in document.items() if name not in ("paths", "components")}
    yield f'{json.dumps(head)[:-1]}, "paths": {{'
    yield ",\n".join(f"{json.dumps(path)}: {json.dumps(route)}" for path, route in paths.items())
    yield '}, "components": {"schemas": {'
    yield ",\n".join(f"{json.dumps(name)}: {json.dumps(schema)}" for name, schema in schemas.items())
    yield "}}}"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
