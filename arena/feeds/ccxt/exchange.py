"""Requests tickers from one exchange through the package ccxt, and turns its errors into sentences.

ccxt is an extra, and slow to import (a second, some 90 MB), so it is imported when a feed is built. It
limits its own request rate. It is given no key, so its error messages hold no secret.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from arena.errors import FeedError
from arena.feeds.http import is_loopback
from arena.feeds.retry import ConnectFailure, PollFailedError

_HOST = re.compile(r"^https?://[^/]+")


@dataclass(frozen=True, slots=True)
class CcxtTiming:
    """Time limits and delays, in seconds; `spacing` between requests is ccxt's own where None."""

    spacing: float | None = None
    answer_timeout: float = 10.0
    first_delay: float = 1.0
    max_delay: float = 60.0
    rate_window: float = 30.0


class CcxtExchange:
    """Tickers of one exchange; it can be closed and used again."""

    def __init__(self, exchange: str, base_url: str, timing: CcxtTiming) -> None:
        self.id = exchange
        self._package = _package(exchange)
        if exchange not in self._package.exchanges:
            raise FeedError(f"ccxt knows no exchange '{exchange}'{_similar(exchange, self._package.exchanges)}.")
        self._base_url = base_url
        self._config: dict[str, Any] = {
            "enableRateLimit": True,
            "timeout": round(timing.answer_timeout * 1000),
            "aiohttp_trust_env": not is_loopback(base_url),
            "timeout_on_exit": 0,
        }
        if timing.spacing is not None:
            self._config["rateLimit"] = timing.spacing * 1000
        self._rate_window = timing.rate_window
        self._open: Any = None
        self._loaded: Any = None
        self._together = True

    async def tickers(self, symbols: Sequence[str]) -> list[Any]:
        """Return the tickers of some symbols; PollFailedError if none arrive, FeedError if they never will."""
        try:
            client = await self._ready(symbols)
            return await self._fetch(client, symbols)
        except FeedError:
            raise
        except Exception as error:
            # A garbled answer makes ccxt raise anything: KeyError, TypeError, IndexError.
            raise self._classified(error) from error

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        client, self._open = self._open, None
        if client is not None:
            await client.close()

    async def _ready(self, symbols: Sequence[str]) -> Any:
        """Return the client with its markets loaded and the symbols found among them."""
        if self._open is None:
            self._open = self._new()
            if self._loaded is not None:
                self._open.set_markets_from_exchange(self._loaded)
        if self._loaded is None:
            await self._open.load_markets()
            self._check(symbols, self._open.markets)
            self._loaded = self._open
            self._together = bool(self._open.has.get("fetchTickers"))
        return self._open

    def _new(self) -> Any:
        client = getattr(self._package, self.id)(self._config)
        if self._base_url:
            client.urls["api"] = _with_base(client.urls["api"], self._base_url.rstrip("/"))
        return client

    def _check(self, symbols: Sequence[str], markets: Iterable[str]) -> None:
        known = list(markets)
        if not known:
            raise PollFailedError(ConnectFailure(f"{self.id} lists no markets; asking again."))
        for symbol in symbols:
            if symbol not in markets:
                raise FeedError(f"{self.id} has no market '{symbol}'{_similar(symbol, known)}.")

    async def _fetch(self, client: Any, symbols: Sequence[str]) -> list[Any]:
        """Request all symbols at once where the exchange can do that, else one by one."""
        if self._together:
            try:
                return list((await client.fetch_tickers(list(symbols))).values())
            except (self._package.NotSupported, self._package.BadRequest, self._package.ArgumentsRequired):
                # Some refuse a mixture of symbols, such as spot and swap, that they serve one by one.
                self._together = False
        return [await client.fetch_ticker(symbol) for symbol in symbols]

    def _classified(self, error: Exception) -> Exception:
        """Return the error of ours for one of ccxt's: FeedError where asking again cannot help."""
        if isinstance(error, PollFailedError):
            return error
        package, why = self._package, f"{type(error).__name__}: {_one_line(error)}"
        if isinstance(error, package.AuthenticationError):
            return FeedError(f"{self.id} gives its prices to known customers only ({why}).")
        if isinstance(error, package.BadSymbol | package.NotSupported | package.RestrictedLocation):
            return FeedError(f"{self.id} does not serve this ({why}).")
        away = self._rate_window if isinstance(error, package.RateLimitExceeded | package.DDoSProtection) else 0.0
        return PollFailedError(ConnectFailure(f"{self.id} {self._description(error)} ({why}).", away))

    def _description(self, error: Exception) -> str:
        package = self._package
        for kinds, description in (
            (package.RateLimitExceeded | package.DDoSProtection, "asks for fewer requests"),
            (package.RequestTimeout, "did not answer in time"),
            (package.NetworkError | OSError, "cannot be reached"),
            (package.BaseError, "refuses to answer"),
        ):
            if isinstance(error, kinds):
                return description
        return "gave an answer that makes no sense"


def _package(exchange: str) -> Any:
    try:
        # Not an import statement: the package is an extra, and type checkers need not read its 500 modules.
        return importlib.import_module("ccxt.async_support")
    except ImportError as error:
        missing = "" if (error.name or "").startswith("ccxt") else f" ({error})"
        raise FeedError(
            f"The feed ccxt:{exchange} needs the package ccxt: pip install 'arena[ccxt]'{missing}."
        ) from error


def _similar(name: str, known: Iterable[str]) -> str:
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)
    return f"; near to it: {', '.join(by_lower[other] for other in close)}" if close else ""


def _with_base(urls: Any, base_url: str) -> Any:
    """Return ccxt's nested addresses with another scheme and host, their paths kept."""
    if isinstance(urls, dict):
        return {key: _with_base(value, base_url) for key, value in urls.items()}
    return _HOST.sub(base_url, urls) if isinstance(urls, str) else urls


def _one_line(error: Exception) -> str:
    """Return an error's message on one line of limited length."""
    return " ".join(str(error).split())[:160]
