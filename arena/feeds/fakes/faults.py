"""One way to drive every loopback double: the prices it sends, and the troubles it makes on request.

    async with BinanceDouble(["BTCUSDT"], seed=1) as double:
        feed = double.connector()
        await double.publish("BTCUSDT")
        await double.faults["cut"]()

Prices are a random walk in which no two of a symbol are alike, and each says its own number: whoever
sees one can tell whether it was ever sent, and which of two is the newer.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from arena.feeds.base import FrameParser, LiveFeed
from arena.feeds.synthetic import SyntheticMarket

Fault = Callable[[], Awaitable[None]]

_NUMBERS = 1_000_000
_DIGITS = 6


class Walk:
    """Reproducible prices; the last six decimals are the number of a price within its symbol.

    Money moves by parts of itself, from where people expect it; a probability by hundredths within 0 and 1.
    `withdrawn` holds the symbol and number of each price that the venue has taken back.
    """

    def __init__(self, symbols: Sequence[str], seed: int, *, decimals: int = 2) -> None:
        self._random = random.Random(seed)
        self._decimals = decimals
        self._values = dict(SyntheticMarket(seed, list(symbols), 1.0).first())
        self.made = {symbol: array("d") for symbol in symbols}
        self.withdrawn: set[tuple[str, int]] = set()

    def next(self, symbol: str) -> float:
        """Return the symbol's next price."""
        self._values[symbol] = self._moved(self._values[symbol])
        made = self.made[symbol]
        price = float(f"{self._values[symbol]:.{self._decimals}f}{len(made) % _NUMBERS:0{_DIGITS}d}")
        made.append(price)
        return price

    def number(self, symbol: str, price: float) -> int | None:
        """Return which of the symbol's prices this is, None if it is none of them."""
        made = self.made[symbol]
        number: int = round(price * 10 ** (self._decimals + _DIGITS)) % _NUMBERS
        # Beyond a million prices the numbers begin again: the newest that it can be counts.
        number += (len(made) - 1 - number) // _NUMBERS * _NUMBERS
        return number if 0 <= number < len(made) and made[number] == price else None

    def _moved(self, value: float) -> float:
        return value * (1.0 + self._random.gauss(0.0, 2e-4))


class Odds(Walk):
    """Probabilities instead of money."""

    def __init__(self, symbols: Sequence[str], seed: int) -> None:
        super().__init__(symbols, seed, decimals=4)
        self._values = dict.fromkeys(symbols, 0.5)

    def _moved(self, value: float) -> float:
        return min(max(value + self._random.gauss(0.0, 0.01), 0.05), 0.95)


class Double(Protocol):
    """A loopback double of any venue; use it as an asynchronous context manager.

    Of its `faults`, those in `lasting` go on until `restore`.
    """

    name: str
    faults: Mapping[str, Fault]
    lasting: frozenset[str]

    @property
    def walk(self) -> Walk:
        """The prices, made so far and to come."""

    async def __aenter__(self) -> Self:
        """Listen."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""

    def settings(self) -> dict[str, str]:
        """Return the settings that point an arena here."""

    def connector(self) -> LiveFeed:
        """Return the venue's own connector, pointed here, with short waits."""

    def parser(self) -> FrameParser:
        """Return a fresh parser of what the connector is sent."""

    async def wanted(self) -> None:
        """Wait until a connector is there that will be told of every price."""

    async def publish(self, symbol: str) -> float:
        """Send the symbol's next price to whoever wants it, and return it."""

    async def go_mute(self) -> None:
        """Leave everything open and say nothing more."""

    async def restore(self) -> None:
        """End every trouble that lasts."""

    async def refuse_for_good(self) -> None:
        """Answer whoever comes next in the way that no new attempt can mend."""
