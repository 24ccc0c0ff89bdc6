"""Recorded websocket frames, one to a line, with or without the time they were received.

    1723161253937085768 {"stream":…}        hftbacktest: local nanoseconds
    1633998512.0633569: {"stream":…}        cryptofeed: local seconds; lines of `wss://` are ours
    {"stream":…}                            bare messages, whose own time counts

A frame counts when it was received, as it would have live. The book's middle sets prices only in a
file without trades and mini tickers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import orjson

from arena.errors import MarketDataError
from arena.feeds.files.messages import BOOK, DEAL, prices_of
from arena.feeds.files.opening import ACCEPTED
from arena.feeds.files.tape import Bools, Floats, Report, Rows
from arena.feeds.files.times import stamp

_STAMPED = re.compile(rb"[^\s{\[]{6,40}:?\s+[{\[]")
_LEVELS = (
    "trades and mini tickers",
    "the middle of the book",
    "last prices of tickers and bars",
)
_SHOWN = 6

Timed = tuple[float | None, object]


def looks_recorded(head: bytes) -> bool:
    """Tell recorded frames by a time before a JSON text, or a line that opens a connection."""
    line = head.lstrip().split(b"\n", 1)[0]
    return line.startswith((b"wss://", b"ws://")) or _is_stamped(line)


def _is_stamped(line: bytes) -> bool:
    match = _STAMPED.match(line)
    return bool(match) and _time(line.split(None, 1)[0]) is not None


def _time(text: bytes) -> float | None:
    return stamp(text.decode("ascii", errors="replace").removesuffix(":"))


def from_lines(data: bytes, report: Report) -> Rows:
    """Return the prices of a file of frames."""
    return from_messages(_lines(data, report), report)


def _lines(data: bytes, report: Report) -> Iterator[Timed]:
    for line in data.splitlines():
        text = line.strip()
        if not text or text.startswith((b"wss://", b"ws://", b"#")):
            continue
        received: float | None = None
        if text[:1] not in {b"{", b"["}:
            head, _, text = text.partition(b" ")
            received = _time(head)
            if received is None:
                report.count("unparsable")
                continue
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            report.count("unparsable")
            continue
        yield from _unpacked(received, message)


def _unpacked(received: float | None, message: Any) -> Iterator[Timed]:
    """Open the envelope of a transcript, which keeps the frame's exact text under `raw`."""
    if isinstance(message, dict) and isinstance(message.get("raw"), str):
        if message.get("dir") == ">":
            return
        try:
            message = orjson.loads(message["raw"])
        except orjson.JSONDecodeError:
            message = None
    yield received, message


def from_messages(messages: Iterable[Timed], report: Report) -> Rows:
    """Return the prices of messages, each with the time it was received or None."""
    levels: tuple[list[tuple[float, Any, Any]], ...] = ([], [], [])
    frames: Counter[str] = Counter()
    lags: list[float] = []
    for received, message in messages:
        kind, prices = prices_of(message)
        frames[kind] += 1
        for level, symbol, price, event in prices:
            time = event if received is None else received
            if time is None or not isinstance(symbol, str):
                report.count("no_time" if time is None else "no_symbol")
                continue
            levels[level].append((time, symbol, price))
            if level == DEAL and received is not None and event is not None:
                lags.append(received - event)
    report.count("unknown_frames", frames.pop("", 0))
    return _chosen(levels, frames, lags, report)


def _chosen(
    levels: tuple[list[tuple[float, Any, Any]], ...],
    frames: Counter[str],
    lags: list[float],
    report: Report,
) -> Rows:
    """Take the best level that the file has, and say what it was."""
    seen = ", ".join(f"{number:,} {kind}" for kind, number in frames.most_common(_SHOWN))
    level = next((place for place, found in enumerate(levels) if found), None)
    if level is None:
        raise MarketDataError(
            f"{report.name} has no frame that sets a price; it holds {seen or 'no known frame'}. {ACCEPTED}"
        )
    report.remark(f"Prices come from {_LEVELS[level]}; the frames are {seen}.")
    if level >= BOOK:
        report.remark("The file has no trade and no mini ticker.")
    if lags and abs(float(np.median(lags))) > 0.5:
        lag = float(np.median(lags))
        side = "behind" if lag < 0 else "ahead of"
        report.remark(f"The recorder's clock is about {abs(lag):.2f} s {side} the exchange's.")
    times, names, cells = zip(*levels[level], strict=True)
    symbols = tuple(sorted(set(names)))
    place = {symbol: number for number, symbol in enumerate(symbols)}
    prices = numbers(cells)
    codes = np.array([place[name] for name in names], dtype=np.int64)
    return Rows(np.array(times), prices, _broken(cells, prices), symbols, codes)


def numbers(cells: Iterable[Any]) -> Floats:
    """Return JSON numbers or their texts as floats, NaN where a cell is neither."""
    cells = list(cells)
    try:
        return np.array(cells, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array([_number(cell) for cell in cells], dtype=np.float64)


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")


def _broken(cells: Iterable[Any], prices: Floats) -> Bools | None:
    """Mark the cells that are no number at all, as against those that say NaN."""
    if not np.isnan(prices).any():
        return None
    pairs = zip(cells, prices, strict=True)
    return np.array([np.isnan(price) and str(cell).lower() != "nan" for cell, price in pairs])
