"""Asks StockData.org for quotes, and keeps the token out of everything that is ever written down.

The venue wants its token in the query. It is put there below the HTTP client, which logs and quotes
the addresses it is given: what the client knows has no token in it. The layers below log the headers
that come back, and a venue that redirects quotes the whole address; a filter takes the token out there.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote, quote_plus
from urllib.request import getproxies, proxy_bypass

import httpx2

from arena.errors import FeedError
from arena.feeds.dialling import is_loopback

MAX_ANSWER = 1024 * 1024
HIDDEN = "[token]"
_TALKATIVE = ("httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy")


class NoAnswerError(Exception):
    """No whole answer came; `counted` says whether the venue may count the request all the same."""

    def __init__(self, sentence: str, *, counted: bool) -> None:
        super().__init__(sentence)
        self.counted = counted


@dataclass(frozen=True, slots=True)
class Answer:
    """What the venue said, with the requests that it says remain for the day, if it does."""

    status: int
    payload: bytes
    remaining: int | None


class _WithToken(httpx2.AsyncBaseTransport):
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


class _Redactor(logging.Filter):
    """Takes a token out of whatever is logged, and out of payloads."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._spellings = {token, quote(token), quote(token, safe=""), quote_plus(token)}

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self.text(record.getMessage()), None
        return True

    def text(self, text: str) -> str:
        for spelling in self._spellings:
            text = text.replace(spelling, HIDDEN)
        return text

    def payload(self, payload: bytes) -> bytes:
        for spelling in self._spellings:
            payload = payload.replace(spelling.encode(), HIDDEN.encode())
        return payload


class QuoteClient:
    """Asks for quotes; use it as an asynchronous context manager.

    Each answer comes whole within `answer_timeout` seconds, or not at all.
    """

    def __init__(self, url: httpx2.URL, token: str, *, extended: str, connect: float, answer: float) -> None:
        self._url = url
        self._redactor = _Redactor(token)
        self._extended = extended
        self._answer_timeout = answer
        try:
            inner = httpx2.AsyncHTTPTransport(verify=_trusted_roots(), proxy=_proxy_for(url))
        except (ImportError, ValueError, httpx2.InvalidURL) as error:
            raise FeedError(f"The proxy for StockData.org cannot be used: {error}.") from error
        self._client = httpx2.AsyncClient(
            transport=_WithToken(inner, token), timeout=httpx2.Timeout(answer, connect=connect)
        )

    async def __aenter__(self) -> Self:
        for name in _TALKATIVE:
            logging.getLogger(name).addFilter(self._redactor)
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._client.__aexit__(kind, error, trace)
        finally:
            for name in _TALKATIVE:
                logging.getLogger(name).removeFilter(self._redactor)

    async def ask(self, symbols: Sequence[str]) -> Answer:
        """Return the answer for some symbols; NoAnswerError if none comes."""
        query = {"symbols": ",".join(symbols), "extended_hours": self._extended, "key_by_ticker": "false"}
        try:
            async with (
                asyncio.timeout(self._answer_timeout),
                self._client.stream("GET", self._url, params=query) as response,
            ):
                payload = await _bounded(response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            raise NoAnswerError(f"StockData.org cannot be reached: {_why(error)}.", counted=False) from error
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise NoAnswerError("StockData.org did not answer in time.", counted=True) from error
        except (httpx2.HTTPError, OSError, ValueError) as error:
            raise NoAnswerError(f"StockData.org broke off its answer: {_why(error)}.", counted=True) from error
        remaining = response.headers.get("X-UsageLimit-Remaining", "")
        known = int(remaining) if remaining.isascii() and remaining.isdigit() and len(remaining) < 10 else None
        return Answer(response.status_code, self._redactor.payload(payload), known)


def _why(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


async def _bounded(response: httpx2.Response) -> bytes:
    payload = bytearray()
    async for chunk in response.aiter_bytes():
        payload += chunk
        if len(payload) > MAX_ANSWER:
            raise ValueError(f"it is larger than {MAX_ANSWER >> 20} MiB")
    return bytes(payload)


def _proxy_for(url: httpx2.URL) -> str | None:
    """Return the proxy that the environment names for this address."""
    if is_loopback(str(url)) or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


@functools.lru_cache(maxsize=1)
def _trusted_roots() -> ssl.SSLContext:
    # Reading the certificates takes a tenth of a second, each time.
    return httpx2.create_ssl_context()
