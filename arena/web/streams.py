"""Live streams that end when whoever listens may listen no more."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

CHECK_SECONDS = 30.0
_END = object()


async def while_let_in(events: AsyncIterable[Any], still_in: Callable[[], bool]) -> AsyncIterator[Any]:
    """Yield events until they end, or until the session or token that opened the stream is of use no more."""
    source = aiter(events)
    coming = asyncio.create_task(_next(source))
    due = time.monotonic() + CHECK_SECONDS
    try:
        while True:
            await asyncio.wait({coming}, timeout=max(0.0, due - time.monotonic()))
            if time.monotonic() >= due:
                if not await _may(still_in):
                    return
                due = time.monotonic() + CHECK_SECONDS
            if not coming.done():
                continue
            event = coming.result()
            if event is _END:
                return
            yield event
            coming = asyncio.create_task(_next(source))
    finally:
        coming.cancel()


async def _next(source: AsyncIterator[Any]) -> Any:
    return await anext(source, _END)


async def _may(still_in: Callable[[], bool]) -> bool:
    # Where the database is away just now, nobody can tell: it is asked again.
    with contextlib.suppress(SQLAlchemyError):
        return await run_in_threadpool(still_in)
    return True
