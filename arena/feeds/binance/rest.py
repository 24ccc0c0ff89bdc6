"""What the feed asks Binance by REST: which symbols there are, and the trades it has missed.

None of it is needed to go on: what is not answered in time is done without. The venue's limits are
kept by our own count, and a request to stay away is obeyed.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import httpx2
import orjson

from arena.feeds.binance.frames import enveloped
from arena.feeds.dialling import is_loopback

log = logging.getLogger("arena.feeds.binance")

# A request for trades weighs 25 of the 6,000 a minute that an address may use; ours is not the only
# program there.
_REQUESTS_PER_MINUTE = 80
_MINUTE = 60.0
_BAN_SECONDS = 120.0  # where a refusal for too many requests does not say for how long
_MOST_TRADES = 1000
_MOST_BYTES = 32 * 1024 * 1024
_FEW = 100  # symbols that fit into an address
_ERRORS = (httpx2.HTTPError, httpx2.InvalidURL, OSError, ImportError, ValueError)


class BinanceRest:
    """The public REST side at `base_url`; every question takes at most `timeout` seconds."""

    def __init__(self, base_url: str, timeout: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._asked: deque[float] = deque(maxlen=_REQUESTS_PER_MINUTE)
        self._not_before = 0.0

    async def listed(self, symbols: Sequence[str]) -> frozenset[str] | None:
        """Return the names that the venue knows, None where it does not say.

        Where it knows all of `symbols`, no others are returned.
        """
        found: frozenset[str] | None = None
        try:
            async with asyncio.timeout(self._timeout), self._client() as client:
                found = await self._listed(client, symbols)
        except (TimeoutError, *_ERRORS) as error:
            log.debug("The symbols are not checked: %r", error)
        return found

    async def missed(self, symbols: Iterable[str], take: Callable[[bytes], object]) -> None:
        """Hand the recent trades of each symbol to `take`, as they come, each in its envelope."""
        try:
            async with asyncio.timeout(self._timeout), self._client() as client, asyncio.TaskGroup() as group:
                for symbol in symbols:
                    group.create_task(self._trades(client, symbol, take))
        except (TimeoutError, *_ERRORS) as error:
            log.info("Not all trades that were missed could be asked for: %r", error)

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self._base_url,
            timeout=self._timeout,
            trust_env=not is_loopback(self._base_url),
            verify=_certificates(),
            limits=httpx2.Limits(max_connections=4),
        )

    async def _listed(self, client: httpx2.AsyncClient, symbols: Sequence[str]) -> frozenset[str] | None:
        if len(symbols) <= _FEW:
            names = orjson.dumps(list(symbols)).decode()
            status, _ = await self._get(client, "exchangeInfo", {"symbols": names, "showPermissionSets": "false"})
            if status != 400:  # one of them is unknown: only the whole list says which
                return frozenset(symbols) if status == 200 else None
        status, body = await self._get(client, "exchangeInfo", {"showPermissionSets": "false"})
        return _names(body) if status == 200 else None

    async def _trades(self, client: httpx2.AsyncClient, symbol: str, take: Callable[[bytes], object]) -> None:
        try:
            status, body = await self._get(client, "trades", {"symbol": symbol, "limit": str(_MOST_TRADES)})
        except _ERRORS as error:
            log.info("The trades of %s that were missed cannot be asked for: %r", symbol, error)
            return
        if status == 200:
            take(enveloped(symbol, body))

    async def _get(self, client: httpx2.AsyncClient, name: str, params: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and body; status 0 where nothing may be asked now."""
        if not self._may_ask():
            return 0, b""
        async with client.stream("GET", f"/api/v3/{name}", params=params) as answer:
            self._heed(answer.status_code, answer.headers.get("Retry-After"))
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    raise ValueError("the answer is too large")
            return answer.status_code, bytes(body)

    def _may_ask(self) -> bool:
        now = asyncio.get_running_loop().time()
        full = len(self._asked) == _REQUESTS_PER_MINUTE and now - self._asked[0] < _MINUTE
        if full or now < self._not_before:
            return False
        self._asked.append(now)
        return True

    def _heed(self, status: int, wait: str | None) -> None:
        """Stay away where the venue wants it: for a while, or (it does not serve us) for good."""
        if status in {418, 429}:
            self._not_before = asyncio.get_running_loop().time() + _seconds(wait)
            log.warning("Binance asks for fewer requests (HTTP %d); no trades are asked for meanwhile", status)
        elif status in {403, 451}:
            self._not_before = float("inf")
            log.warning("Binance does not answer requests from here (HTTP %d); missed trades stay missed", status)


def _names(body: bytes) -> frozenset[str] | None:
    try:
        return frozenset(entry["symbol"] for entry in orjson.loads(body)["symbols"]) or None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _seconds(wait: str | None) -> float:
    return float(wait) if wait and wait.isdecimal() else _BAN_SECONDS


@cache
def _certificates() -> ssl.SSLContext:
    """Read the certificate authorities once: that takes longer than a request."""
    return httpx2.create_ssl_context()
