"""Lists that are served page by page, and records that are served by key. PostgreSQL writes the JSON of every item.

A route is SQL whose columns are the fields of a schema, the schema, and a `Listing` or `Record` that names both. What
is served is not validated on its way out; tests hold every reply against its schema.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import asyncpg
from fastapi import Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter, create_model

from touchline.database.queries import query
from touchline.errors import nearest
from touchline.serving.database import Reader
from touchline.serving.formats import CSV, FORMATS, JSON, PARQUET, as_csv, as_parquet, chosen
from touchline.serving.kept import KEPT, tag
from touchline.serving.problems import documented, refused_parameter
from touchline.serving.schemas import SIMULATED
from touchline.serving.shared import Moment, serving_of

MOST_PER_PAGE: Final = 500
LONGEST_CURSOR: Final = 500
NO_CURSOR: Final = "no cursor of ours: take `next` of the page before"
# These say how a reply is given; all other parameters say what is in it.
OF_FORM: Final = ("limit", "cursor", "fields", "format")


class Page(BaseModel):
    """What every list comes with."""

    as_of: datetime = Field(description="the present by the run clock")
    is_simulated: bool = SIMULATED
    next: str | None = Field(description="`cursor` of the next page; null on the last", examples=[None])


@dataclass(frozen=True)
class Asked:
    """How a list is to be given: its fields (all if empty), its format, and which page."""

    fields: tuple[str, ...]
    format: str
    limit: int
    after: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """A list named `name` in its reply. The columns of `sql` are the fields of `schema`, and those of `order`.

    `order` maps the columns that order the list, unique together, to their PostgreSQL types.
    """

    name: str
    sql: str
    schema: type[BaseModel]
    order: Mapping[str, str]
    is_descending: bool = False

    def documented(self, tag: str, *statuses: int) -> dict[str, Any]:
        """Arguments of the route, for the OpenAPI document; `statuses` beside those that every list has."""
        other = {
            CSV: {"schema": {"type": "string"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        }
        fine: dict[int | str, dict[str, Any]] = {
            200: {"model": self.reply, "description": "A page", "content": other}
        }
        return route_of(tag, fine | documented(406, 503, *statuses))

    @cached_property
    def reply(self) -> type[BaseModel]:
        """The schema of a page."""
        field: Any = (list[self.schema], ...)  # type: ignore[name-defined]
        name = f"{self.schema.__name__}Page"
        return create_model(name, __base__=Page, __doc__=f"A page of {self.name}.", **{self.name: field})

    async def items(self, reader: Reader, asked: Asked, *filters: Any) -> list[tuple[bytes, tuple[str, ...]]]:
        """The JSON of each item of the page, and of one more if there is one, with the values that order it."""
        given, after = len(filters), asked.after
        way = " desc" if self.is_descending else ""
        place = ", ".join(f"q.{name}" for name in self.order)
        bound = ", ".join(
            f"${given + number}::text::{kind}" for number, kind in enumerate(self.order.values(), 1)
        )
        keyset = f"where ({place}) {'<' if self.is_descending else '>'} ({bound})" if after else ""
        keys = ", ".join(f"q.{name}::text" for name in self.order)
        statement = (
            f"select {json_of(asked.fields or tuple(self.schema.model_fields))} as item, array[{keys}] as place\n"
            f"from (\n{query(self.sql)}\n) as q\n{keyset}\n"
            f"order by {', '.join(f'q.{name}{way}' for name in self.order)}\n"
            f"limit ${given + len(after) + 1}::int"
        )
        found = await reader.rows(statement, *filters, *after, asked.limit + 1)
        return [(as_utc(row["item"]), tuple(row["place"])) for row in found]

    async def read(self, reader: Reader, limit: int, *filters: Any) -> list[Any]:
        """The first items as instances of `schema`, for pages."""
        found = await self.items(reader, Asked((), JSON, limit, ()), *filters)
        text = b"[" + b",".join(item for item, _ in found[:limit]) + b"]"
        items: list[Any] = self._several.validate_json(text)
        return items

    @cached_property
    def _several(self) -> TypeAdapter[list[Any]]:
        return TypeAdapter(list[self.schema])  # type: ignore[name-defined]

    def cursor(self, request: Request, place: Sequence[str]) -> str:
        """What leads to the items after a place, for the filters of a request."""
        text = json.dumps([self._fingerprint(request), *place], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def read_cursor(self, request: Request, cursor: str | None) -> tuple[str, ...]:
        """The place that a cursor leads to, as text; raises RequestValidationError for one of something else."""
        if cursor is None:
            return ()
        try:
            text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            fingerprint, *place = json.loads(text)
            is_ours = len(place) == len(self.order) and all(isinstance(each, str) for each in place)
        except (binascii.Error, ValueError, TypeError, RecursionError):
            is_ours = False
        if not is_ours:
            raise refused_parameter("cursor", cursor, NO_CURSOR)
        if fingerprint != self._fingerprint(request):
            raise refused_parameter("cursor", cursor, "of another list or other filters: begin without it")
        return tuple(place)

    def _fingerprint(self, request: Request) -> str:
        """Of the list and what filters it; with it a cursor proves that its values were written here."""
        filters = sorted(
            (name, value) for name, value in request.query_params.multi_items() if name not in OF_FORM
        )
        text = repr((self.name, request.url.path, filters))
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


class Answer:
    """Answers a request for a page of a list: call it with what the SQL's parameters are."""

    def __init__(self, listing: Listing, request: Request, moment: Moment, asked: Asked):
        self._listing, self._request = listing, request
        self._serving, self.moment, self._asked = serving_of(request), moment, asked

    async def __call__(self, *filters: Any) -> Response:
        """The page as it was asked for. Raises DatabaseUnavailable."""
        listing, asked = self._listing, self._asked
        try:
            found = await listing.items(self._serving.reader, asked, *filters)
        except asyncpg.DataError as error:
            if not asked.after:
                raise
            raise refused_parameter("cursor", self._request.query_params["cursor"], NO_CURSOR) from error
        items = [item for item, _ in found[: asked.limit]]
        following = listing.cursor(self._request, found[asked.limit - 1][1]) if found[asked.limit :] else None
        headers = kept_headers(self.moment) | {"Vary": "Accept"}
        if following:
            rest = [
                (name, value) for name, value in self._request.query_params.multi_items() if name != "cursor"
            ]
            address = f"{self._request.url.path}?{urlencode([*rest, ('cursor', following)])}"
            headers["Link"] = f'<{address}>; rel="next"'
        text = b",".join(items)
        # What is new only in the time it was asked for is not new.
        headers["ETag"] = tag(text, (following or "").encode(), asked.format.encode())
        if asked.format != JSON:
            write = as_csv if asked.format == CSV else as_parquet
            return Response(
                write(items, listing.schema, asked.fields), media_type=asked.format, headers=headers
            )
        head = {"as_of": utc(self.moment.as_of), "is_simulated": self._serving.settings.is_simulated}
        body = (
            f'{json.dumps(head, separators=(",", ":"))[:-1]},"{listing.name}":['.encode()
            + text
            + f'],"next":{json.dumps(following)}}}'.encode()
        )
        return Response(body, media_type=JSON, headers=headers)


def answering(listing: Listing) -> Any:
    """The dependency that gives a route its `Answer` for a list."""

    # Async, since FastAPI runs others in a thread each.
    async def answer(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MOST_PER_PAGE, description="items a page")] = 100,
        cursor: Annotated[
            str | None,
            Query(max_length=LONGEST_CURSOR, description="`next` of the page before, with the same filters"),
        ] = None,
        fields: str | None = fields_of(listing.schema),
        format: Annotated[
            Literal["json", "csv", "parquet"] | None, Query(description="instead of the header Accept")
        ] = None,
    ) -> Answer:
        asked = Asked(
            read_fields(fields, listing.schema),
            FORMATS[format] if format else chosen(request.headers.get("accept")),
            limit,
            listing.read_cursor(request, cursor),
        )
        return Answer(listing, request, await serving_of(request).moment(), asked)

    return Depends(answer)


@dataclass(frozen=True)
class Record:
    """One thing by its id. `sql` takes an array of ids; its columns are `key`, the id, and the fields of `schema`.

    `advice` says where to look for those that there are.
    """

    what: str
    sql: str
    schema: type[BaseModel]
    advice: str = ""

    def documented(self, tag: str) -> dict[str, Any]:
        """Arguments of the route, for the OpenAPI document."""
        return route_of_record(tag, self.schema)

    async def answer(self, request: Request, fields: str | None, key: Any, *parameters: Any) -> Response:
        """The record as JSON. Raises HTTPException when there is none, DatabaseUnavailable."""
        serving = serving_of(request)
        statement = self._statement(read_fields(fields, self.schema))
        row = await serving.reader.by_key(statement, key, *parameters)
        if row is None:
            raise HTTPException(404, f"there is no {self.what} {key}{self.advice}")
        body = as_utc(row["item"])
        headers = kept_headers(await serving.moment())
        headers["ETag"] = tag(body)
        return Response(body, media_type=JSON, headers=headers)

    async def read(self, reader: Reader, key: Any, *parameters: Any) -> Any:
        """The thing as an instance of `schema`, for pages; None when there is none."""
        row = await reader.by_key(self._statement(()), key, *parameters)
        return None if row is None else self.schema.model_validate_json(row["item"])

    @cache  # noqa: B019 -- records live as long as the process
    def _statement(self, fields: tuple[str, ...]) -> str:
        item = json_of(fields or tuple(self.schema.model_fields))
        return f"select q.key, {item} as item from (\n{query(self.sql)}\n) as q"  # noqa: S608 -- our files


def route_of_record(tag: str, schema: type[BaseModel]) -> dict[str, Any]:
    """Arguments of a route that gives one thing."""
    fine: dict[int | str, dict[str, Any]] = {200: {"model": schema, "description": "Found"}}
    return route_of(tag, fine | documented(404, 503))


def route_of(tag: str, responses: Mapping[int | str, dict[str, Any]]) -> dict[str, Any]:
    """Arguments of a route whose replies can be kept."""
    same: dict[int | str, dict[str, Any]] = {304: {"description": "The reply that If-None-Match names"}}
    return {"tags": [tag], "response_class": Response, "responses": {**responses, **same}}


def fields_of(schema: type[BaseModel]) -> Any:
    """The parameter `fields` of what has this schema."""
    names = list(schema.model_fields)
    one = "|".join(names)
    return Query(
        default=None,
        description="only these fields, separated by commas; others are left out, whatever the schema requires",
        examples=[",".join(names[:2])],
        json_schema_extra={"pattern": f"^({one})(,({one}))*$"},
    )


def read_fields(text: str | None, schema: type[BaseModel]) -> tuple[str, ...]:
    """Names of fields; raises RequestValidationError for one that the schema does not have."""
    if text is None:
        return ()
    names = tuple(dict.fromkeys(text.split(",")))
    known = list(schema.model_fields)
    for name in names:
        if name not in known:
            near = nearest(name, known)
            advice = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
            raise refused_parameter("fields", text, f"there is no field {name[:40]!r}; {advice}")
    return names


def json_of(names: Sequence[str]) -> str:
    """SQL of the JSON text of columns of `q`; the names are those of a schema, never a request's."""
    columns = ", ".join(f'q."{name}"' for name in names)
    return f"(select row_to_json(f) from (select {columns}) as f)::text"  # noqa: S608 -- names of a schema


def as_utc(text: str) -> bytes:
    """JSON with times as the rest of the API writes them; the session's time zone is UTC."""
    return text.encode().replace(b'+00:00"', b'Z"')


def utc(moment: datetime) -> str:
    """A time (UTC) as the API writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def kept_headers(moment: Moment) -> dict[str, str]:
    """Headers of a reply that anybody may keep for a second."""
    return {**KEPT, **({"Last-Modified": moment.modified} if moment.modified else {})}
