"""The names and paths of the files in Binance's public archive."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from datetime import date, timedelta

from arena.errors import MarketDataError

_INTERVALS = (
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1mo",
)  # fmt: skip
_ONLY_BY_MONTH = frozenset({"3d", "1w", "1mo"})
_STREAMS = {"trades": "trades", "aggtrades": "aggTrades"}
_PERIOD = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?")
_MOST = 5000  # files of one command: thirteen years of days


@dataclass(frozen=True, slots=True)
class Archive:
    """One zip file of the archive: its name, and its path below the site's address."""

    name: str
    path: str


def archives(symbol: str, what: str, first: str, last: str | None) -> list[Archive]:
    """Return the files of a symbol for a month or a day, or for all from the first to the last.

    `what` is the interval of klines, or `trades` or `aggTrades`. MarketDataError if that is nothing
    the archive could hold.
    """
    if not re.fullmatch(r"\w{2,40}", symbol):
        raise MarketDataError(f"{symbol!r} is no symbol of Binance; it writes them like BTCUSDT.", usage=True)
    kind, folder = _kind(what)
    begin, end = _period(first), _period(last or first)
    if len(first) != len(last or first) or begin > end:
        raise MarketDataError(f"{first} to {last} is no range of months or of days, first to last.", usage=True)
    by_month = len(first) == len("2025-01")
    if kind in _ONLY_BY_MONTH and not by_month:
        raise MarketDataError(f"Klines of {kind} come in monthly files only; name a month like 2025-01.", usage=True)
    stem, span = f"{symbol.upper()}-{kind}", "monthly" if by_month else "daily"
    found: list[Archive] = []
    while begin <= end and len(found) <= _MOST:
        name = f"{stem}-{begin:%Y-%m}.zip" if by_month else f"{stem}-{begin:%Y-%m-%d}.zip"
        found.append(Archive(name, f"data/spot/{span}/{folder.format(symbol=symbol.upper())}/{name}"))
        begin = (begin + timedelta(days=32)).replace(day=1) if by_month else begin + timedelta(days=1)
    if len(found) > _MOST:
        raise MarketDataError(f"{first} to {last} is more than {_MOST:,} files; ask for fewer.", usage=True)
    return found


def _kind(what: str) -> tuple[str, str]:
    """Return the name part and the folder of a kind of files."""
    if stream := _STREAMS.get(what.lower()):
        return stream, f"{stream}/{{symbol}}"
    interval = "1mo" if what in {"1M", "1mo"} else what
    if interval not in _INTERVALS:
        raise MarketDataError(
            f"{what!r} is neither trades nor aggTrades nor an interval: {', '.join(_INTERVALS)}.", usage=True
        )
    return interval, f"klines/{{symbol}}/{interval}"


def _period(text: str) -> date:
    if match := _PERIOD.fullmatch(text):
        with contextlib.suppress(ValueError):
            return date(int(match.group(1)), int(match.group(2)), int(match.group(3) or 1))
    raise MarketDataError(f"{text!r} is neither a month like 2025-01 nor a day like 2025-01-31.", usage=True)
