"""Answers of the API: made in line and off the event loop, as JSON or as a table, with a tag."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import IO, ParamSpec

from fastapi import Request, Response
from pydantic import BaseModel

from arena.web.limits import ConcurrencyLimit
from arena.web.tables import columns_of, rows_of, table_bytes, wanted_table
from arena.web.text import json_bytes

P = ParamSpec("P")

JSON = "application/json"


async def answer(
    line: ConcurrencyLimit, request: Request, work: Callable[P, BaseModel], *args: P.args, **kwargs: P.kwargs
) -> Response:
    """Return what a piece of work gives, as JSON, or a list as CSV or Parquet by `Accept`; all is done in line."""
    asked = wanted_table(request.headers.get("accept", "")) if request.method in {"GET", "HEAD"} else None

    def encoded() -> tuple[bytes, str]:
        made = work(*args, **kwargs)
        document = made.model_dump()
        rows = rows_of(document) if asked is not None else None
        if asked is None or rows is None:
            return json_bytes(document), JSON
        return table_bytes(asked, columns_of(type(made), rows), rows), asked

    body, kind = await line.run(request, encoded)
    return tagged(request, body, kind)


def tagged(request: Request, body: bytes, kind: str = JSON) -> Response:
    """Return a body with its tag, or that it has not changed since the one that the request names."""
    if request.method not in {"GET", "HEAD"}:
        return Response(body, media_type=kind)
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    return unchanged(request, tag) or Response(body, 200, tag_headers(tag), media_type=kind)


def tag_headers(tag: str) -> dict[str, str]:
    """Return what an answer with a tag says of itself."""
    return {"etag": tag, "cache-control": "private, no-cache", "vary": "Accept"}


def unchanged(request: Request, tag: str) -> Response | None:
    """Return the answer to who names this tag and so has the rest already, None to others."""
    if matches(request.headers.get("if-none-match", ""), tag):
        return Response(None, 304, tag_headers(tag))
    return None


def file_tag(file: IO[bytes]) -> str:
    """Return the tag of a file, which is at its start afterwards."""
    file.seek(0)
    digest = hashlib.blake2b(digest_size=12)
    while piece := file.read(1 << 20):
        digest.update(piece)
    file.seek(0)
    return f'"{digest.hexdigest()}"'


def matches(given: str, tag: str) -> bool:
    """Say whether If-None-Match names this tag; RFC 9110 compares weakly here."""
    return given.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in given.split(",")}
