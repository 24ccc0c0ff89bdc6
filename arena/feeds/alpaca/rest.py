"""Asks Alpaca for the last price of each symbol: the stream tells only what is new from now on.

The keys go into headers, which no log holds, and no redirection is followed with them.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2

from arena.errors import FeedError
from arena.feeds.alpaca.codec import NANOSECONDS
from arena.feeds.alpaca.session import Keys
from arena.feeds.dialling import is_loopback

BASE_URL = "https://data.alpaca.markets"
MOST_SYMBOLS = 100  # of one question: addresses cannot be of any length

_MOST_BYTES = 4 * 1024 * 1024
_LONGEST_WAIT = 120.0
_RETRY_SECONDS = 60.0  # the venue counts requests by the minute
_ERRORS = (httpx2.HTTPError, httpx2.StreamError, OSError, ImportError, ValueError)
# What no repetition mends: a wrong request, wrong keys, a feed that is not in the plan.
_FINAL = frozenset({400, 401, 403, 404, 410, 422})


@dataclass(frozen=True, slots=True)
class Question:
    """Where the last prices of some symbols are asked for."""

    path: str
    params: Mapping[str, str] = field(default_factory=dict)


class RefusalError(Exception):
    """A question without an answer; `final` if asking again is of no use, else not before `stay_away` seconds."""

    def __init__(self, sentence: str, stay_away: float = 0.0, *, final: bool = False) -> None:
        super().__init__(sentence)
        self.stay_away = stay_away
        self.final = final


class LatestPrices:
    """The REST side at `base_url`; each answer comes whole within `timeout` seconds, or not at all."""

    def __init__(self, base_url: str, keys: Keys, timeout: float, clock: Callable[[], int]) -> None:
        self._base_url = _address(base_url)
        self._keys = keys
        self._timeout = timeout
        self._clock = clock

    async def ask(self, question: Question, symbols: Sequence[str]) -> list[bytes]:
        """Return all answers as they came; RefusalError if one does not come."""
        groups = [symbols[begin : begin + MOST_SYMBOLS] for begin in range(0, len(symbols), MOST_SYMBOLS)]
        try:
            async with self._client() as client:
                return [await self._get(client, question, group) for group in groups]
        except (TimeoutError, httpx2.TimeoutException):
            raise RefusalError(f"{self._base_url.host} did not answer in time.") from None
        except _ERRORS as error:
            raise RefusalError(f"{self._base_url.host} cannot be reached: {error}.") from None

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self._base_url,
            headers={b"APCA-API-KEY-ID": self._keys.key.encode(), b"APCA-API-SECRET-KEY": self._keys.secret.encode()},
            timeout=self._timeout,
            trust_env=not is_loopback(str(self._base_url)),
            verify=_trusted_roots(),
        )

    async def _get(self, client: httpx2.AsyncClient, question: Question, symbols: Sequence[str]) -> bytes:
        params = {"symbols": ",".join(symbols), **question.params}
        async with asyncio.timeout(self._timeout), client.stream("GET", question.path, params=params) as answer:
            return await self._read(answer)

    async def _read(self, answer: httpx2.Response) -> bytes:
        code = answer.status_code
        if code != 200:
            wait = self._wait(answer.headers) if code == 429 else 0.0
            raise RefusalError(f"{self._base_url.host} refused it (HTTP {code}).", wait, final=code in _FINAL)
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _MOST_BYTES:
                raise RefusalError(f"{self._base_url.host} answered with too much.", final=True)
        return bytes(body)

    def _wait(self, headers: Mapping[str, str]) -> float:
        """Return the seconds until the venue's window for requests begins anew."""
        reset = headers.get("X-RateLimit-Reset", "")
        if not (reset.isascii() and reset.isdigit()):
            return _RETRY_SECONDS
        return min(max(int(reset) - self._clock() / NANOSECONDS, 0.0), _LONGEST_WAIT)


def _address(base_url: str) -> httpx2.URL:
    try:
        parts = urlsplit(base_url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        url = httpx2.URL(base_url)
    except (ValueError, httpx2.InvalidURL):
        good = False
    if not good:
        raise FeedError("The base_url of Alpaca is no address; it begins with https://.")
    return url


@functools.lru_cache(maxsize=1)
def _trusted_roots() -> ssl.SSLContext:
    # Reading the certificates takes a tenth of a second, each time.
    return httpx2.create_ssl_context()
