"""Runs the live feeds on an event loop and a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError

from arena.errors import FeedError
from arena.feeds.base import LiveFeed
from arena.feeds.live import LiveMarket, run_feeds


class FeedRunner:
    """The thread of the feeds; `start` runs them, `stop` ends them."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="feeds", daemon=True)
        self._thread.start()
        self._task: asyncio.Task[None] | None = None

    def reachable(self, feeds: Sequence[LiveFeed], timeout: float) -> dict[str, str]:
        """Return the feeds that answer in time: with "" for a price, or a sentence why there will be none.

        All are asked concurrently.
        """
        future = asyncio.run_coroutine_threadsafe(_reached(feeds, timeout), self._loop)
        try:
            return future.result(timeout + 1.0)
        except FutureTimeoutError:
            future.cancel()
            return {}

    def start(self, feeds: Sequence[LiveFeed], market: LiveMarket) -> None:
        """Let the feeds push into the market until `stop`."""

        def begin() -> None:
            self._task = self._loop.create_task(run_feeds(feeds, market))

        self._loop.call_soon_threadsafe(begin)

    def stop(self) -> None:
        """Cancel the feeds and end the loop."""
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._wind_down(), self._loop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._loop.close()

    async def _wind_down(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(asyncio.shield(asyncio.gather(self._task, return_exceptions=True)), 3)
        self._loop.stop()


async def _reached(feeds: Sequence[LiveFeed], timeout: float) -> dict[str, str]:  # noqa: ASYNC109 - passed on
    answers = await asyncio.gather(*(feed.reachable(timeout) for feed in feeds), return_exceptions=True)
    found = {feed.name: answer for feed, answer in zip(feeds, answers, strict=True)}
    refusals = {name: str(answer) for name, answer in found.items() if isinstance(answer, FeedError)}
    return refusals | {name: "" for name, answer in found.items() if answer is True}
