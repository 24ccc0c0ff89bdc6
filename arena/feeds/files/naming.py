"""What file names say: symbols, bar lengths and the period a file covers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from arena.errors import MarketDataError

# The second group holds codes that are also word endings (entry, console), so they come second.
_QUOTES = (
    (
        "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "USDE", "USD", "EUR", "GBP", "JPY",
        "CHF", "CAD", "AUD", "NZD", "BTC", "XBT", "ETH",
    ),
    (
        "DAI", "TRY", "BRL", "RUB", "KRW", "INR", "ZAR", "MXN", "PLN", "UAH", "NGN", "ARS",
        "IDR", "CZK", "RON", "SEK", "NOK", "DKK", "HUF", "SGD", "HKD", "CNY", "CNH", "THB",
        "ILS", "BNB", "TRX", "XRP", "SOL", "DOT", "DOGE", "UST", "EURI",
    ),
)  # fmt: skip
_ALL_QUOTES = frozenset(_QUOTES[0] + _QUOTES[1])
# Words that stand before a pair in a file name and are not the base of one.
_NOT_BASES = frozenset((
    "BINANCE", "BINANCEUS", "KRAKEN", "COINBASE", "BITSTAMP", "BITFINEX", "BITMEX", "BYBIT",
    "OKX", "OKEX", "HUOBI", "HTX", "KUCOIN", "GEMINI", "GATE", "GATEIO", "FTX", "DERIBIT",
    "POLONIEX", "MTGOX", "LEAN", "CRYPTO", "FOREX", "FX", "SPOT", "UM", "CM", "PERP", "FUTURES",
    "TRADE", "TRADES", "TICK", "TICKS", "BAR", "BARS", "QUOTE", "QUOTES", "KLINE", "KLINES",
    "CANDLE", "CANDLES", "OHLC", "OHLCV", "PRICE", "PRICES", "DATA", "HISTORY", "TEST", "SAMPLE",
    "MARKET", "MINUTE", "SECOND", "HOUR", "DAILY", "STREAM", "FRAMES", "THE", "MY",
))  # fmt: skip
_BULK = re.compile(
    r"^([A-Za-z0-9_]+)-(trades|aggTrades|bookTicker|\d+(?:s|mo|[mhdwM]))"
    r"-(\d{4})-(\d\d)(?:-(\d\d))?(?!\d)",
)
_SPEC = re.compile(r"^([^=\\]*[^=\\\s])=(.+)$")
_LENGTH = re.compile(r"^(\d{1,6})(s|sec|m|min|h|d|w)$", re.IGNORECASE)
_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_WORDS = {"second": 1, "minute": 60, "hour": 3600, "hourly": 3600, "daily": 86400}


_LONGEST = 64  # characters of a name that comes out of a file


def clean(name: str) -> str:
    """Return a name out of a file as it may be shown: each control or direction mark is a replacement character."""
    if name.isascii() and name.isprintable() and len(name) <= _LONGEST:
        return name
    marks = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    text = "".join("\ufffd" if unicodedata.category(sign) in marks else sign for sign in name)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def bar_seconds(text: str) -> float | None:
    """Return the seconds of a length like 5m, 1h or 1d, or None."""
    match = _LENGTH.match(text)
    length = int(match.group(1)) * _SECONDS[match.group(2).lower()] if match else 0
    return float(length) if 0 < length <= 366 * 86400 else None


def split_spec(spec: str) -> tuple[str | None, str]:
    """Split `[SYMBOL=]PATH`; a path that exists as it stands wins over its equals sign."""
    match = _SPEC.match(spec)
    if match is None or Path(spec).exists():
        return None, spec
    return match.group(1).strip(), match.group(2)


def symbol_of(names: Iterable[str]) -> str | None:
    """Return the symbol that the first telling name carries, or None."""
    names = list(names)
    bulk = (match.group(1).upper() for match in map(_BULK.match, names) if match)
    return next(bulk, None) or next(filter(None, map(_from_parts, names)), None)


def is_bulk(name: str) -> bool:
    """Tell whether a file is named like those of Binance's archive."""
    return _BULK.match(name) is not None


def require_symbol(names: Iterable[str], path: str, member: str = "") -> str:
    """Return the symbol that the names carry, or say which flag gives one.

    One of several members of an archive may be called like a symbol and nothing else: `AAPL.csv`.
    """
    symbol = symbol_of(names)
    stem = re.sub(r"(?i)(\.(csv|txt|json|gz|parquet|us|tsv))+$", "", member.rpartition("/")[2])
    if symbol is None and re.fullmatch(r"[A-Za-z^][A-Za-z0-9.^=-]{0,11}|\d{4,6}", stem):
        return stem.upper()
    if symbol is None and member:
        raise MarketDataError(
            f"{path} does not say which symbol its file {clean(member)} holds; unpack it and "
            "name it with --data SYMBOL=FILE.",
            usage=True,
        )
    if symbol is None:
        raise MarketDataError(
            f"{path} does not say which symbol it holds; name it with --data SYMBOL={path}.",
            usage=True,
        )
    return symbol


def has_quote(symbol: str) -> bool:
    """Tell whether a symbol ends in a known quote currency, as a pair does."""
    return any(_is_pair(symbol.upper(), quotes) for quotes in _QUOTES)


def _is_pair(part: str, quotes: Iterable[str]) -> bool:
    return any(part.endswith(quote) and 2 <= len(part) - len(quote) <= 10 for quote in quotes)


def _from_parts(name: str) -> str | None:
    """Find the part that ends in a quote currency: `xbtusdt`, else two parts, `xrp_eth`."""
    parts = [part.upper() for part in re.split(r"[^A-Za-z0-9]+", name) if part]
    for quotes in _QUOTES:
        # MetaTrader writes the minutes of a bar behind the pair, as in EURUSD60.
        for part in (part.rstrip("0123456789") for part in parts):
            if _is_pair(part, quotes) and part not in _NOT_BASES:
                return part
    for place, (base, quote) in enumerate(pairwise(parts)):
        follower = parts[place + 2] if place + 2 < len(parts) else ""
        if quote not in _ALL_QUOTES or base in _NOT_BASES or len(base) < 2:
            continue
        # In `new_eth_usdt` the pair is the last two: a quote before another quote is a base.
        if follower not in _ALL_QUOTES or follower == quote or base in _ALL_QUOTES:
            return base + quote
    return None


def bar_length(names: Iterable[str]) -> float | None:
    """Return the bar length in seconds that a name carries, as in `_1h_` or `-minute-`."""
    for name in names:
        for part in re.split(r"[^A-Za-z0-9]+", name):
            if match := _LENGTH.match(part):
                return float(int(match.group(1)) * _SECONDS[match.group(2).lower()])
            if part.lower() in _WORDS:
                return float(_WORDS[part.lower()])
    return None


def period_end(names: Iterable[str]) -> float | None:
    """Return the end of the day or month that a Binance bulk file covers, in Unix seconds."""
    for match in filter(None, map(_BULK.match, names)):
        year, month, day = int(match.group(3)), int(match.group(4)), match.group(5)
        try:
            start = datetime(year, month, int(day or 1), tzinfo=UTC)
        except ValueError:
            return None
        end = start + (timedelta(days=1) if day else timedelta(days=32))
        return (end if day else end.replace(day=1)).timestamp()
    return None
