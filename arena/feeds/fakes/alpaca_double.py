"""The fake Alpaca, driven as all doubles are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import orjson

from arena.feeds.alpaca import AlpacaFeed, AlpacaParser, Timing
from arena.feeds.fakes.alpaca import FakeAlpaca
from arena.feeds.fakes.faults import Fault, Walk

_TIMING = Timing(
    open_timeout=2.0, login=1.0, silence=0.5, first_delay=0.02, max_delay=0.2,
    limit_delay=0.05, max_limit_delay=0.4, complaint_every=0.0,
)  # fmt: skip
_GARBAGE = ('[{"T":"t"', b"\xc1\xff", '[{"T":"t","S":"AAPL","p":"x","i":1,"t":"no time"}]', "[[1]]")


class AlpacaDouble:
    """An Alpaca whose prices are a walk; its stocks are those of the test feed, which never closes."""

    name = "alpaca"
    lasting = frozenset({"mute"})

    def __init__(self, symbols: Sequence[str], *, seed: int = 1, port: int = 0) -> None:
        self.fake = FakeAlpaca(port=port)
        self.walk = Walk(symbols, seed)
        self._symbols = tuple(symbols)
        self._ids: dict[str, tuple[int, int]] = {}
        self._line = asyncio.Lock()
        self.faults: Mapping[str, Fault] = {
            "cut in mid-frame": self._cut, "close": self.fake.hang_up, "mute": self.go_mute,
            "garbage": self._garbage, "unknown event": self._unknown, "repeat": self._repeat,
            "wrong order": self._wrong_order, "slow drip": self._drip, "cancelled trade": self._cancel,
            "corrected trade": self._correct, "internal error": self._internal, "slow client": self._slow,
            "too many connections": self._crowded, "HTTP 503": self._unavailable, "halt": self._halt,
            "no last prices": self._forgetful,
        }  # fmt: skip

    async def __aenter__(self) -> Self:
        await self.fake.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.fake.__aexit__(kind, error, trace)

    def settings(self) -> dict[str, str]:
        """Return the settings that point an arena here."""
        return {
            "FEED": "alpaca",
            "ALPACA_API_KEY": self.fake.key,
            "ALPACA_SECRET_KEY": self.fake.secret,
            "DATA_SOURCES__ALPACA__SYMBOLS": orjson.dumps(self._symbols).decode(),
            "DATA_SOURCES__ALPACA__FEED": "test",
            "DATA_SOURCES__ALPACA__WS_URL": self.fake.url,
            "DATA_SOURCES__ALPACA__BASE_URL": self.fake.rest_url,
        }

    def connector(self) -> AlpacaFeed:
        """Return the connector, with short waits."""
        fake = self.fake
        return AlpacaFeed(
            self._symbols, fake.key, fake.secret, feed="test", ws_url=fake.url, base_url=fake.rest_url, timing=_TIMING
        )

    def parser(self) -> AlpacaParser:
        """Return a fresh parser of what the connector is sent."""
        return AlpacaParser(self._symbols)

    async def wanted(self) -> None:
        """Wait until the trades of every symbol are subscribed."""
        for symbol in self._symbols:
            await self.fake.subscribed(symbol)

    async def publish(self, symbol: str) -> float:
        """Send a trade at the next price, and return that."""
        async with self._line:
            return await self._trade(symbol)

    async def go_mute(self) -> None:
        """Leave the connections open and say nothing more."""
        self.fake.mute = True

    async def restore(self) -> None:
        """Speak again."""
        self.fake.mute = False

    async def refuse_for_good(self) -> None:
        """Refuse the key, now and later."""
        self.fake.refuse_login(402, times=99)
        self.fake.cut()

    async def _trade(self, symbol: str) -> float:
        price = self.walk.next(symbol)
        number = len(self.walk.made[symbol]) - 1
        self._ids[symbol] = await self.fake.trade(symbol, price), number
        return price

    async def _cut(self) -> None:
        with suppress(RuntimeError):  # one of the connections has ended already
            self.fake.cut()

    async def _garbage(self) -> None:
        async with self._line:
            for payload in _GARBAGE:
                await self.fake.say(payload)

    async def _unknown(self) -> None:
        async with self._line:
            for symbol in self._symbols:
                await self.fake.publish({"T": "news", "S": symbol, "p": 1.0})
                await self.fake.say(orjson.dumps([{"T": "zz", "S": symbol, "p": 1.0}]).decode())

    async def _repeat(self) -> None:
        self.fake.twice = True
        await self.publish(self._symbols[0])
        self.fake.twice = False

    async def _wrong_order(self) -> None:
        async with self._line:
            self.fake.swapped = True
            for _ in range(2):
                await self._trade(self._symbols[0])
            self.fake.swapped = False

    async def _drip(self) -> None:
        async with self._line:
            self.fake.drip = 0.0005
            with suppress(RuntimeError):  # the connection has ended in the middle of the drip
                await self._trade(self._symbols[0])
            self.fake.drip = 0.0

    async def _cancel(self) -> None:
        async with self._line:
            for symbol, (trade_id, number) in self._ids.items():
                self.walk.withdrawn.add((symbol, number))
                await self.fake.cancel(symbol, trade_id)

    async def _correct(self) -> None:
        async with self._line:
            for symbol, (trade_id, number) in list(self._ids.items()):
                self.walk.withdrawn.add((symbol, number))
                await self.fake.correct(symbol, trade_id, self.walk.next(symbol))

    async def _halt(self) -> None:
        async with self._line:
            for code, words in (("H", "Trading Halt"), ("T", "Trading Resumption")):
                await self.fake.status(self._symbols[0], code, words)

    async def _forgetful(self) -> None:
        self.fake.rest.refuse(503, times=2)
        await self._cut()

    async def _internal(self) -> None:
        await self.fake.error(500)
        await self.fake.hang_up()

    async def _slow(self) -> None:
        await self.fake.error(407)
        await self._cut()

    async def _crowded(self) -> None:
        self.fake.refuse_login(406, times=2)
        await self._cut()

    async def _unavailable(self) -> None:
        self.fake.refuse(503, times=2)
        await self._cut()
