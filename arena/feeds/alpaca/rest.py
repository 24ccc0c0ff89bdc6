"""Alpaca's REST API: the latest price of each symbol, which the stream does not repeat.

The keys go into headers, which no log holds; redirects are not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from arena.feeds.alpaca.codec import NANOSECONDS
from arena.feeds.alpaca.handshake import AlpacaKeys
from arena.feeds.http import HttpClient, HttpResponse, ResponseTooLargeError, base_url_of
from arena.feeds.retry import ConnectFailure, PollFailedError, backoff_delay

log = logging.getLogger("arena.feeds.alpaca")

BASE_URL = "https://data.alpaca.markets"
MAX_SYMBOLS = 100  # in one request, as its address must not be too long

_MAX_BYTES = 4 * 1024 * 1024
_MAX_WAIT = 120.0
_RETRY_SECONDS = 60.0  # the venue counts requests by the minute
# A wrong request, wrong keys, a feed that is not in the plan: repeating does not help.
_PERMANENT = frozenset({400, 401, 403, 404, 410, 422})


@dataclass(frozen=True, slots=True)
class LatestPricesQuery:
    """The address of the latest prices of one endpoint."""

    path: str
    params: Mapping[str, str] = field(default_factory=dict)


class AlpacaRest:
    """The REST API at `base_url`; each response arrives within `timeout` seconds. FeedError for a bad address."""

    def __init__(self, base_url: str, keys: AlpacaKeys, timeout: float, clock: Callable[[], int]) -> None:
        self._base_url = base_url_of(base_url, "The base_url of Alpaca is no address; it begins with https://.")
        self._headers = {"APCA-API-KEY-ID": keys.key, "APCA-API-SECRET-KEY": keys.secret}
        self._timeout = timeout
        self._clock = clock

    async def latest_prices(self, query: LatestPricesQuery, symbols: Sequence[str]) -> list[bytes]:
        """Return the bodies of all responses; PollFailedError if one is missing."""
        groups = [symbols[begin : begin + MAX_SYMBOLS] for begin in range(0, len(symbols), MAX_SYMBOLS)]
        async with HttpClient(
            self._base_url, timeout=self._timeout, max_bytes=_MAX_BYTES, headers=self._headers
        ) as client:
            return [await self._get(client, query, group) for group in groups]

    async def _get(self, client: HttpClient, query: LatestPricesQuery, symbols: Sequence[str]) -> bytes:
        try:
            response = await client.get(query.path, {"symbols": ",".join(symbols), **query.params})
        except ResponseTooLargeError as error:
            raise PollFailedError(replace(error.failure, permanent=True)) from None
        code = response.status
        if code != 200:
            wait = self._until_reset(response) if code == 429 else 0.0
            message = f"{client.name} refused it (HTTP {code})."
            raise PollFailedError(ConnectFailure(message, wait, permanent=code in _PERMANENT))
        return response.body

    def _until_reset(self, response: HttpResponse) -> float:
        """Return the seconds until the venue's request limit resets."""
        reset = response.headers.get("X-RateLimit-Reset", "")
        if not (reset.isascii() and reset.isdigit()):
            return _RETRY_SECONDS
        return min(max(float(reset) - self._clock() / NANOSECONDS, 0.0), _MAX_WAIT)


class LatestPricesTask:
    """Requests an endpoint's latest prices in the background while its stream is read; one per connection.

    The stream is subscribed first, so that no trade falls between the two.
    """

    def __init__(
        self, label: str, rest: AlpacaRest, query: LatestPricesQuery, counts: Counter[str], delays: tuple[float, float]
    ) -> None:
        self._label = label
        self._rest = rest
        self._query = query
        self._counts = counts
        self._delays = delays
        self._task: asyncio.Task[None] | None = None

    def start(self, symbols: Sequence[str], take: Callable[[bytes], object]) -> None:
        """Begin to request; each response goes to `take`."""
        self._task = asyncio.create_task(self._request(symbols, take), name=f"latest prices of {self._label}")

    async def stop(self) -> None:
        """Stop requesting; an error of our own code is raised here."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _request(self, symbols: Sequence[str], take: Callable[[bytes], object]) -> None:
        """Repeat until there is an answer: the stream alone may have no price until the market opens."""
        for failures in itertools.count():
            try:
                bodies = await self._rest.latest_prices(self._query, symbols)
            except PollFailedError as error:
                self._counts["recalls_refused"] += 1
                level = logging.INFO if failures else logging.WARNING
                log.log(level, "Alpaca does not tell the last prices of %s: %s", self._label, error)
                if error.failure.permanent:
                    return
                await asyncio.sleep(max(backoff_delay(failures, *self._delays), error.failure.retry_after))
            else:
                self._counts["recalls"] += 1
                for body in bodies:
                    take(body)
                return
