"""Binance's REST API: which symbols exist, and the trades missed while disconnected.

Prices do not depend on it: a request that fails in time is skipped. We count our own requests to stay
below the venue's limit, and obey its Retry-After.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

import orjson

from arena.errors import FeedError
from arena.feeds.binance.parser import wrap_rest_trades
from arena.feeds.http import HttpClient, HttpResponse, base_url_of
from arena.feeds.retry import ConnectFailure, PollFailedError, retry_after_seconds

log = logging.getLogger("arena.feeds.binance")

# A request for trades costs 25 of the 6,000 weight a minute that an address may use, and other programs
# at this address use some too.
REQUESTS_PER_MINUTE = 80
_MINUTE = 60.0
_MAX_TRADES = 1000
_MAX_BYTES = 32 * 1024 * 1024
_MAX_SYMBOLS_IN_URL = 100
_SHOWN = 5


class BinanceRest:
    """The public REST API at `base_url`; each method takes at most `timeout` seconds."""

    def __init__(self, base_url: str, timeout: float) -> None:
        self._base_url = base_url
        self._timeout = timeout
        self._request_times: deque[float] = deque(maxlen=REQUESTS_PER_MINUTE)
        self._not_before = 0.0

    async def known_symbols(self, symbols: Sequence[str]) -> frozenset[str] | None:
        """Return the symbols that the venue lists, None where it does not say.

        Where it lists all of `symbols`, no others are returned.
        """
        found: frozenset[str] | None = None
        try:
            async with asyncio.timeout(self._timeout), self._client() as client:
                found = await self._known_symbols(client, symbols)
        except (TimeoutError, PollFailedError, FeedError) as error:
            log.debug("The symbols are not checked: %r", error)
        return found

    async def missed_trades(self, symbols: Iterable[str], take: Callable[[bytes], object]) -> None:
        """Pass the recent trades of each symbol to `take` as they arrive, wrapped for the parser."""
        try:
            async with asyncio.timeout(self._timeout), self._client() as client, asyncio.TaskGroup() as group:
                for symbol in symbols:
                    group.create_task(self._missed_trades(client, symbol, take))
        except (TimeoutError, PollFailedError, FeedError) as error:
            log.info("Not all missed trades could be requested: %r", error)

    def _client(self) -> HttpClient:
        url = base_url_of(self._base_url, "The base_url of Binance is no address; it begins with https://.")
        return HttpClient(url, timeout=self._timeout, max_bytes=_MAX_BYTES, max_connections=4)

    async def _known_symbols(self, client: HttpClient, symbols: Sequence[str]) -> frozenset[str] | None:
        if len(symbols) <= _MAX_SYMBOLS_IN_URL:
            names = orjson.dumps(list(symbols)).decode()
            response = await self._get(client, "exchangeInfo", {"symbols": names, "showPermissionSets": "false"})
            if response.status != 400:  # one of them is unknown, and only the whole list says which
                return frozenset(symbols) if response.status == 200 else None
        response = await self._get(client, "exchangeInfo", {"showPermissionSets": "false"})
        return _listed_symbols(response.body) if response.status == 200 else None

    async def _missed_trades(self, client: HttpClient, symbol: str, take: Callable[[bytes], object]) -> None:
        try:
            response = await self._get(client, "trades", {"symbol": symbol, "limit": str(_MAX_TRADES)})
        except PollFailedError as error:
            log.info("The missed trades of %s cannot be requested: %s", symbol, error)
            return
        if response.status == 200:
            take(wrap_rest_trades(symbol, response.body))

    async def _get(self, client: HttpClient, name: str, params: Mapping[str, str]) -> HttpResponse:
        if not self._may_request():
            raise PollFailedError(ConnectFailure("No request to Binance is allowed now."), sent=False)
        response = await client.get(f"/api/v3/{name}", params)
        self._obey_limits(response)
        return response

    def _may_request(self) -> bool:
        now = asyncio.get_running_loop().time()
        full = len(self._request_times) == REQUESTS_PER_MINUTE and now - self._request_times[0] < _MINUTE
        if full or now < self._not_before:
            return False
        self._request_times.append(now)
        return True

    def _obey_limits(self, response: HttpResponse) -> None:
        """Stop requests for as long as the venue asks, for ever where it does not serve this location."""
        if response.status in {418, 429}:
            self._not_before = asyncio.get_running_loop().time() + retry_after_seconds(response.headers)
            log.warning("Binance asks for fewer requests (HTTP %d); no trades are requested meanwhile", response.status)
        elif response.status in {403, 451}:
            self._not_before = float("inf")
            log.warning(
                "Binance does not answer requests from here (HTTP %d); missed trades stay missed", response.status
            )


def split_known_symbols(wanted: Sequence[str], known: Collection[str]) -> tuple[tuple[str, ...], str]:
    """Return the wanted symbols that exist, and a sentence about the others, empty if there are none."""
    unknown = [symbol for symbol in wanted if symbol not in known]
    if not unknown:
        return tuple(wanted), ""
    named = [_with_similar(symbol, known) for symbol in unknown[:_SHOWN]]
    if len(unknown) > _SHOWN:
        named.append(f"{len(unknown) - _SHOWN} more")
    listed = " and ".join(part for part in (", ".join(named[:-1]), named[-1]) if part)
    return tuple(symbol for symbol in wanted if symbol in known), f"Binance has no {listed}: left out."


def _with_similar(symbol: str, known: Collection[str]) -> str:
    near = get_close_matches(symbol, known, n=3, cutoff=0.7)
    return f"{symbol} (near: {', '.join(near)})" if near else symbol


def _listed_symbols(body: bytes) -> frozenset[str] | None:
    try:
        return frozenset(entry["symbol"] for entry in orjson.loads(body)["symbols"]) or None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
