"""Answers of the API: JSON that is made in line and off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from fastapi import Request, Response
from pydantic import BaseModel

from arena.web.limits import ConcurrencyLimit
from arena.web.text import json_bytes

P = ParamSpec("P")


async def answer(
    line: ConcurrencyLimit, request: Request, work: Callable[P, BaseModel], *args: P.args, **kwargs: P.kwargs
) -> Response:
    """Return what a piece of work gives as JSON; work and encoding wait in line."""

    def encoded() -> bytes:
        return json_bytes(work(*args, **kwargs).model_dump())

    return Response(await line.run(request, encoded), media_type="application/json")
