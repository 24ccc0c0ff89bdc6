"""What the feed asks Manifold by REST, within a time and a size, and what a refusal means."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

import httpx2

from arena.errors import FeedError
from arena.feeds.dialling import Setback, is_loopback

MOST_IDS = 100  # that the venue takes in one question for probabilities
_AT_ONCE = 8
_MOST_BYTES = 16 * 1024 * 1024
_RETRY_SECONDS = 60.0  # the venue counts requests by the minute
_ERRORS = (httpx2.HTTPError, httpx2.StreamError, OSError, ImportError, ValueError)


class RefusalError(Exception):
    """A question without an answer; it carries why, and for how long to ask nothing."""

    def __init__(self, setback: Setback) -> None:
        self.setback = setback
        super().__init__(setback.sentence)


class ManifoldRest:
    """The REST side at `base_url`; use it as an asynchronous context manager."""

    def __init__(self, base_url: str, timeout: float) -> None:
        self._host = urlsplit(base_url).hostname or ""
        self._timeout = timeout
        self._not_before = 0.0
        self._few = asyncio.Semaphore(_AT_ONCE)
        try:
            self._client = httpx2.AsyncClient(
                base_url=base_url.rstrip("/") + "/v0",
                timeout=timeout,
                trust_env=not is_loopback(base_url),
                verify=_trusted_roots(),
            )
        except (httpx2.InvalidURL, ValueError):
            raise FeedError("The base_url of Manifold is no address.") from None

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def market(self, name: str) -> bytes | None:
        """Return the market with this id or slug, None where there is none; RefusalError if asking failed."""
        ways = [f"/market/{quote(name, safe='')}", f"/slug/{quote(name, safe='')}"]
        for path in reversed(ways) if "-" in name else ways:
            body = await self._get(path)
            if body is not None:
                return body
        return None

    async def market_by_id(self, market_id: str) -> bytes | None:
        """Return the market with this id."""
        return await self._get(f"/market/{quote(market_id, safe='')}")

    async def probabilities(self, ids: Sequence[str]) -> bytes:
        """Return the probabilities of up to MOST_IDS markets."""
        body = await self._get("/market-probs", ids)
        if body is None:
            raise RefusalError(Setback(f"{self._host} does not tell probabilities (HTTP 404)."))
        return body

    async def _get(self, path: str, ids: Sequence[str] = ()) -> bytes | None:
        params = httpx2.QueryParams([("ids", market_id) for market_id in ids])
        async with self._few:
            self._check_ban()
            try:
                async with asyncio.timeout(self._timeout), self._client.stream("GET", path, params=params) as answer:
                    return await self._read(answer)
            except (httpx2.UnsupportedProtocol, httpx2.InvalidURL):
                raise FeedError("The base_url of Manifold is no address.") from None
            except (TimeoutError, httpx2.TimeoutException):
                raise RefusalError(Setback(f"{self._host} did not answer in time.")) from None
            except _ERRORS as error:
                raise RefusalError(Setback(f"{self._host} cannot be reached: {error}.")) from None

    async def _read(self, answer: httpx2.Response) -> bytes | None:
        code = answer.status_code
        if code in {400, 404, 410}:
            return None
        if code != 200:
            raise RefusalError(self._refused(code, answer.headers.get("Retry-After")))
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _MOST_BYTES:
                raise RefusalError(Setback(f"{self._host} answered with more than {_MOST_BYTES >> 20} MiB."))
        return bytes(body)

    def _refused(self, code: int, wait: str | None) -> Setback:
        if code == 451:
            return Setback(f"{self._host} does not serve this location (HTTP 451); choose another feed.", blocked=True)
        if code != 429:
            return Setback(f"{self._host} refused a request (HTTP {code}).")
        seconds = float(wait) if wait and wait.isascii() and wait.isdigit() else _RETRY_SECONDS
        self._not_before = asyncio.get_running_loop().time() + seconds
        return Setback(f"{self._host} asks for fewer requests (HTTP 429); trying again in {seconds:.0f} s.", seconds)

    def _check_ban(self) -> None:
        left = self._not_before - asyncio.get_running_loop().time()
        if left > 0.0:
            sentence = f"{self._host} asked for fewer requests (HTTP 429); trying again in {left:.0f} s."
            raise RefusalError(Setback(sentence, left))


@functools.lru_cache(maxsize=1)
def _trusted_roots() -> ssl.SSLContext:
    # Reading the certificates takes a tenth of a second, each time.
    return httpx2.create_ssl_context()
