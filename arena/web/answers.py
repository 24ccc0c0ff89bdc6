"""Answers of the API: made in line and off the event loop, as JSON or as a table, with a tag."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import ParamSpec

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
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "Accept"}
    if matches(request.headers.get("if-none-match", ""), tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type=kind)


def matches(given: str, tag: str) -> bool:
    """Say whether If-None-Match names this tag; RFC 9110 compares weakly here."""
    return given.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in given.split(",")}
