"""The fake Alpaca's data messages, as the documents state them, and their frames; times are integer nanoseconds."""

from __future__ import annotations

from typing import Any

Message = dict[str, Any]


def trade(symbol: str, price: float, trade_id: int, moment: int) -> Message:
    """Return a trade; a crypto pair's has a taker's side, a stock's an exchange and conditions."""
    base = {"T": "t", "S": symbol, "i": trade_id, "p": price, "s": 1, "t": moment}
    return base | ({"tks": "B"} if "/" in symbol else {"x": "V", "c": ["@"], "z": "C"})


def quote(symbol: str, bid: float, ask: float, moment: int) -> Message:
    """Return a quote."""
    base = {"T": "q", "S": symbol, "bp": bid, "bs": 1, "ap": ask, "as": 4, "t": moment}
    return base if "/" in symbol else base | {"bx": "V", "ax": "V", "c": ["R"], "z": "C"}


def bar(symbol: str, close: float, opened: int) -> Message:
    """Return a minute bar, which is named by its beginning."""
    return {
        "T": "b", "S": symbol, "o": close, "h": close, "l": close, "c": close, "v": 100, "n": 3, "vw": close,
        "t": opened,
    }  # fmt: skip


def correction(original: Message, new_id: int, price: float, moment: int) -> Message:
    """Return the correction of a trade."""
    return {
        "T": "c", "S": original["S"], "x": original.get("x", ""),
        "oi": original["i"], "op": original["p"], "os": original["s"], "oc": original.get("c", []),
        "ci": new_id, "cp": price, "cs": original["s"], "cc": original.get("c", []),
        "z": original.get("z", ""), "t": moment,
    }  # fmt: skip


def cancel(original: Message, moment: int) -> Message:
    """Return the cancellation of a trade."""
    return {
        "T": "x", "S": original["S"], "i": original["i"], "x": original.get("x", ""), "p": original["p"],
        "s": original["s"], "a": "C", "z": original.get("z", ""), "t": moment,
    }  # fmt: skip


def status(symbol: str, code: str, words: str, moment: int) -> Message:
    """Return a trading status, such as a halt."""
    return {
        "T": "s", "S": symbol, "sc": code, "sm": words, "rc": "T12", "rm": "News pending", "z": "C", "t": moment,
    }  # fmt: skip


def frame(payload: str | bytes) -> bytes:
    """Return one whole websocket frame, as a server writes it."""
    body = payload.encode() if isinstance(payload, str) else payload
    head = 0x81 if isinstance(payload, str) else 0x82
    size = bytes((len(body),)) if len(body) < 126 else b"\x7e" + len(body).to_bytes(2, "big")
    return bytes((head,)) + size + body
