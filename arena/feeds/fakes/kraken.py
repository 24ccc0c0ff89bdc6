"""A fake Kraken on 127.0.0.1 with the requests that ccxt makes for tickers: assets, pairs and tickers.

    async with FakeKraken() as fake:
        fake.list_pair("BTC", "USD")
        fake.ticker("BTC/USD", "69000.10")
        feed = CcxtFeed("kraken", ["BTC/USD"], base_url=fake.url)

Kraken answers 200 whatever happens, and lists what went wrong under `error`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arena.feeds.fakes.http_server import FakeResponse, HttpFake

_FEES = [[0, 0.4], [10_000, 0.35]]


class FakeKraken(HttpFake):
    """One exchange with the pairs and prices that a test sets."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self._pairs: dict[str, dict[str, Any]] = {}
        self._tickers: dict[str, dict[str, Any]] = {}
        self._assets: dict[str, dict[str, Any]] = {}

    def list_pair(self, base: str, quote: str, *, status: str = "online") -> None:
        """List a market by the names of its assets."""
        for name in (base, quote):
            self._assets[name] = {"aclass": "currency", "altname": name, "decimals": 10, "display_decimals": 5,
                                  "status": "enabled"}  # fmt: skip
        pair = base + quote
        self._pairs[pair] = {
            "altname": pair, "wsname": f"{base}/{quote}", "aclass_base": "currency", "base": base,
            "aclass_quote": "currency", "quote": quote, "lot": "unit", "cost_decimals": 5, "pair_decimals": 1,
            "lot_decimals": 8, "lot_multiplier": 1, "leverage_buy": [], "leverage_sell": [], "fees": _FEES,
            "fees_maker": _FEES, "fee_volume_currency": "ZUSD", "margin_call": 80, "margin_stop": 40,
            "ordermin": "0.0001", "costmin": "0.5", "tick_size": "0.1", "status": status,
        }  # fmt: skip

    def ticker(self, symbol: str, last: object) -> None:
        """Set the price of a market such as BTC/USD; None takes it away."""
        self._tickers[symbol.replace("/", "")] = {
            "a": ["2.0", "1", "1.000"], "b": ["1.0", "1", "1.000"], "c": [last, "0.1"], "v": ["1", "2"],
            "p": ["1", "1"], "t": [1, 2], "l": ["1", "1"], "h": ["2", "2"], "o": "1",
        }  # fmt: skip

    def refuse(self, error: str, *, times: int = 1) -> None:
        """Answer the next requests with an error such as EService:Unavailable."""
        self.reply(200, {"error": [error]}, times=times)

    def answer(self, path: str, query: Mapping[str, str]) -> FakeResponse:
        """Return the response to a GET."""
        name = path.removeprefix("/0/public/")
        if name == "Assets":
            return _result(self._assets)
        if name == "AssetPairs":
            return _result(self._pairs)
        if name != "Ticker":
            return FakeResponse(200, {"error": ["EGeneral:Unknown method"]})
        asked = [pair for pair in query.get("pair", "").split(",") if pair] or list(self._tickers)
        if any(pair not in self._pairs for pair in asked):
            return FakeResponse(200, {"error": ["EQuery:Unknown asset pair"]})
        return _result({pair: self._tickers[pair] for pair in asked if pair in self._tickers})


def _result(value: dict[str, Any]) -> FakeResponse:
    return FakeResponse(200, {"error": [], "result": value})
