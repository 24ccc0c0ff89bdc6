"""StockData.org's REST API; keeps the token out of logs, error messages and recorded payloads.

The venue wants its token in the query. A transport adds it below the HTTP client, which logs and quotes the
addresses it is given. The layers below the client log response headers, and a redirect quotes the whole
address; a logging filter removes the token there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote, quote_plus

import httpx2

from arena.errors import FeedError
from arena.feeds.http import HttpClient
from arena.feeds.retry import PollFailedError

MAX_BYTES = 1024 * 1024
HIDDEN = "[token]"
_LOGGERS = ("httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy")


@dataclass(frozen=True, slots=True)
class QuoteResponse:
    """A response, and how many requests the venue says remain today, if it does."""

    status: int
    payload: bytes
    remaining: int | None


class _TokenTransport(httpx2.AsyncBaseTransport):
    """Adds the token to the query of each request."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, token: str) -> None:
        self._inner = inner
        self._token = token

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url.copy_merge_params({"api_token": self._token})
        return await self._inner.handle_async_request(
            httpx2.Request(request.method, url, headers=request.headers, extensions=request.extensions)
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _TokenFilter(logging.Filter):
    """Replaces the token in log records and payloads."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._spellings = {token, quote(token), quote(token, safe=""), quote_plus(token)}

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for spelling in self._spellings:
            text = text.replace(spelling, HIDDEN)
        record.msg, record.args = text, None
        return True

    def payload(self, payload: bytes) -> bytes:
        for spelling in self._spellings:
            payload = payload.replace(spelling.encode(), HIDDEN.encode())
        return payload


class StockDataRest:
    """Requests quotes; use it as an asynchronous context manager.

    `timeout` limits a whole request and `connect_timeout` its connection, in seconds. FeedError on entering
    where the environment's proxy cannot be used.
    """

    def __init__(
        self, base_url: httpx2.URL, token: str, *, extended_hours: bool, timeout: float, connect_timeout: float
    ) -> None:
        self._extended_hours = "true" if extended_hours else "false"
        self._filter = _TokenFilter(token)
        self._client = HttpClient(
            base_url,
            name="StockData.org",
            timeout=timeout,
            connect_timeout=connect_timeout,
            max_bytes=MAX_BYTES,
            wrap_transport=lambda inner: _TokenTransport(inner, token),
        )

    async def __aenter__(self) -> Self:
        try:
            await self._client.__aenter__()
        except PollFailedError as error:
            raise FeedError(str(error)) from error
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._filter)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._client.__aexit__(kind, error, trace)
        finally:
            for name in _LOGGERS:
                logging.getLogger(name).removeFilter(self._filter)

    async def quotes(self, symbols: Sequence[str]) -> QuoteResponse:
        """Return the response for some symbols; PollFailedError if none arrives."""
        query = {"symbols": ",".join(symbols), "extended_hours": self._extended_hours, "key_by_ticker": "false"}
        response = await self._client.get("/v1/data/quote", query)
        remaining = response.headers.get("X-UsageLimit-Remaining", "")
        known = int(remaining) if remaining.isascii() and remaining.isdigit() and len(remaining) < 10 else None
        return QuoteResponse(response.status, self._filter.payload(response.body), known)
