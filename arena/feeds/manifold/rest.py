"""Manifold's REST API, and which requests each round of polling makes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import quote

from arena.errors import FeedError
from arena.feeds.http import HttpClient, HttpResponse, base_url_of
from arena.feeds.manifold.market import MarketEntry
from arena.feeds.manifold.parser import ManifoldParser
from arena.feeds.retry import ConnectFailure, PollFailedError, retry_after_seconds

log = logging.getLogger("arena.feeds.manifold")

MAX_IDS = 100  # that the venue accepts in one request for probabilities
_MAX_CONCURRENT = 8
_MAX_BYTES = 16 * 1024 * 1024
_RETRY_SECONDS = 60.0  # the venue counts requests by the minute


class ManifoldRest:
    """The REST API at `base_url`; use it as an asynchronous context manager. FeedError for a bad address."""

    def __init__(self, base_url: str, timeout: float) -> None:
        url = base_url_of(base_url, "The base_url of Manifold is no address; it begins with https://.")
        self._client = HttpClient(url, timeout=timeout, max_bytes=_MAX_BYTES)
        self._not_before = 0.0
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT)

    async def __aenter__(self) -> Self:
        try:
            await self._client.__aenter__()
        except PollFailedError as error:
            raise FeedError(str(error)) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def market(self, name: str) -> bytes | None:
        """Return the page of the market with this id or slug, None where there is none."""
        paths = [f"/market/{quote(name, safe='')}", f"/slug/{quote(name, safe='')}"]
        for path in reversed(paths) if "-" in name else paths:
            body = await self._get(path)
            if body is not None:
                return body
        return None

    async def market_by_id(self, market_id: str) -> bytes | None:
        """Return the page of the market with this id, None where there is none."""
        return await self._get(f"/market/{quote(market_id, safe='')}")

    async def probabilities(self, ids: Sequence[str]) -> bytes:
        """Return the probabilities of up to MAX_IDS markets."""
        body = await self._get("/market-probs", ids)
        if body is None:
            raise PollFailedError(ConnectFailure(f"{self._client.name} does not tell probabilities (HTTP 404)."))
        return body

    async def _get(self, path: str, ids: Sequence[str] = ()) -> bytes | None:
        """Return the body, None where the venue has no such thing; PollFailedError on any other failure."""
        async with self._slots:
            left = self._not_before - asyncio.get_running_loop().time()
            if left > 0.0:
                message = f"{self._client.name} asked for fewer requests (HTTP 429); trying again in {left:.0f} s."
                raise PollFailedError(ConnectFailure(message, left), sent=False)
            response = await self._client.get(f"/v0{path}", [("ids", market_id) for market_id in ids])
        if response.status in {400, 404, 410}:
            return None
        if response.status != 200:
            raise PollFailedError(self._refused(response))
        return response.body

    def _refused(self, response: HttpResponse) -> ConnectFailure:
        code, host = response.status, self._client.name
        if code == 451:
            message = f"{host} does not serve this location (HTTP 451); choose another feed."
            return ConnectFailure(message, permanent=True)
        if code != 429:
            return ConnectFailure(f"{host} refused a request (HTTP {code}).")
        wait = retry_after_seconds(response.headers, _RETRY_SECONDS)
        self._not_before = asyncio.get_running_loop().time() + wait
        return ConnectFailure(f"{host} asks for fewer requests (HTTP 429); trying again in {wait:.0f} s.", wait)


class ManifoldPoller:
    """Makes the requests of each round; every body goes to `take`, which has `parser` parse it.

    First the page of every configured market is read; one that does not exist is left out. After that a round
    reads the pages that are `due`, the page of one other market in turn (which finds a resolution whose
    broadcast was missed), and the probabilities of all. `left_out` has the reason for each entry without a
    price.
    """

    def __init__(
        self,
        rest: ManifoldRest,
        parser: ManifoldParser,
        entries: Iterable[MarketEntry],
        take: Callable[[bytes], None],
    ) -> None:
        self.left_out: dict[str, str] = {}
        self.due: set[str] = set()
        self._rest = rest
        self._parser = parser
        self._take = take
        self._unread: dict[str, list[MarketEntry]] = {}
        for entry in entries:
            self._unread.setdefault(entry.market, []).append(entry)
        self._turn = 0

    async def read_new_pages(self) -> ConnectFailure | None:
        """Read the configured markets that have not been read yet; return why some still are not."""
        return await _gather(self._read_new_page(name) for name in list(self._unread))

    async def poll(self) -> ConnectFailure | None:
        """Make all requests that are due; return why one failed.

        A configured market that cannot be read does not count: it must not hold up the others.
        """
        await self.read_new_pages()
        self.due |= {market.id for market in self._parser.markets.values() if market.resolved and not market.ended}
        page_failure = await _gather(self._read_page_again(each) for each in self.due | self._next_in_turn())
        ids = self._open_ids()
        chunks = (ids[at : at + MAX_IDS] for at in range(0, len(ids), MAX_IDS))
        return await _gather(self._read_probabilities(chunk) for chunk in chunks) or page_failure

    def read_all_pages_again(self) -> None:
        """Make the page of every market that has not ended due in the next round."""
        self.due.update(self._open_ids())

    def _open_ids(self) -> list[str]:
        return [market.id for market in self._parser.markets.values() if not market.ended]

    def _next_in_turn(self) -> set[str]:
        ids = self._open_ids()
        self._turn += 1
        return {ids[self._turn % len(ids)]} if ids else set()

    async def _read_new_page(self, name: str) -> None:
        try:
            body = await self._rest.market(name)
            if body is not None:
                self._take_new_page(name, body)
        except PollFailedError as error:
            self.left_out[name] = "it cannot be read yet"
            log.info("The market %s cannot be read yet: %s", name, error)
            raise
        if body is None:
            self._leave_out(name, "Manifold has no such market")

    def _take_new_page(self, name: str, body: bytes) -> None:
        self._take(body)
        if not any(market.is_named(name) for market in self._parser.markets.values()):
            message = f"Manifold answered with something that is not the market {name}."
            raise PollFailedError(ConnectFailure(message))
        self.left_out.pop(name, None)
        symbols = self._parser.symbols
        for entry in self._unread.pop(name, ()):
            if not any(symbol == entry.symbol or symbol.startswith(f"{entry.symbol}:") for symbol in symbols):
                self._leave_out(entry.symbol, "it has no probability by that name")

    def _leave_out(self, name: str, reason: str) -> None:
        self._unread.pop(name, None)
        self.left_out[name] = reason
        log.warning("Manifold's market %s is left out: %s", name, reason)

    async def _read_page_again(self, market_id: str) -> None:
        body = await self._rest.market_by_id(market_id)
        self.due.discard(market_id)
        if body is not None:
            self._take(body)

    async def _read_probabilities(self, ids: list[str]) -> None:
        self._take(await self._rest.probabilities(ids))


async def _gather(requests: Iterable[Awaitable[None]]) -> ConnectFailure | None:
    """Make requests concurrently to the end, and return one of their failures."""
    results = await asyncio.gather(*requests, return_exceptions=True)
    failure = None
    for result in results:
        if isinstance(result, PollFailedError):
            failure = result.failure
        elif isinstance(result, BaseException):
            raise result
    return failure
