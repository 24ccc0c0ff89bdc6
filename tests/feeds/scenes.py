"""What the tests of the feeds share: a sink that keeps everything, and scenes with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from arena.errors import FeedError
from arena.feeds.base import FeedState, LiveFeed, PriceUpdate, RawFrame, Resolution


class CollectingSink:
    """A sink that keeps everything and can be waited for."""

    def __init__(self) -> None:
        self.updates: list[PriceUpdate] = []
        self.resolutions: list[Resolution] = []
        self.states: list[tuple[FeedState, str]] = []
        self.state_times: list[float] = []
        self.frames: list[RawFrame] = []
        self._news = asyncio.Event()

    def on_price(self, update: PriceUpdate) -> None:
        self.updates.append(update)
        self._news.set()

    def on_resolution(self, resolution: Resolution) -> None:
        self.resolutions.append(resolution)
        self._news.set()

    def on_state(self, feed: str, state: FeedState, detail: str) -> None:
        assert feed
        assert detail.endswith((".", "…"))
        self.states.append((state, detail))
        self.state_times.append(time.monotonic())
        self._news.set()

    def on_frame(self, frame: RawFrame) -> None:
        self.frames.append(frame)
        self._news.set()

    @property
    def prices(self) -> list[float]:
        return [update.price for update in self.updates]

    @property
    def is_live(self) -> bool:
        return bool(self.states) and self.states[-1][0] is FeedState.LIVE

    @property
    def sentences(self) -> str:
        return " ".join(sentence for _, sentence in self.states)

    async def until(self, happened: Callable[[], bool]) -> None:
        while not happened():
            self._news.clear()
            await self._news.wait()


def logged_by_feeds(records: list[logging.LogRecord]) -> list[str]:
    """Return what the feeds logged: a server of other tests logs meanwhile, and asyncio where it is slow."""
    return [record.getMessage() for record in records if record.name.startswith("arena.feeds")]


def play(scene: Callable[[], Awaitable[None]]) -> None:
    """Run one scene to its end; the bound is for a scene that hangs, whatever else the machine does."""

    async def bounded() -> None:
        async with asyncio.timeout(120):
            await scene()

    asyncio.run(bounded())


@contextlib.asynccontextmanager
async def running(feed: LiveFeed) -> AsyncIterator[CollectingSink]:
    """Run a feed beside the scene and cancel it afterwards."""
    heard = CollectingSink()
    task = asyncio.create_task(feed.run(heard))
    try:
        yield heard
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, FeedError):
            await task
