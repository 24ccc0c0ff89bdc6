"""What every source of prices has in common.

A live feed pushes what it learns into a sink until it is cancelled, and reconnects by itself. What a
venue's payload means is decided in one place, the venue's `FrameParser`, live and in a replay of the
recorded payloads alike. A `History` is a recorded market, already sampled to ticks. Event time (the
venue's) and receive time (ours) are kept apart; both are float Unix seconds, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt


class FeedState(StrEnum):
    """How a live feed is doing."""

    CONNECTING = "connecting"
    LIVE = "live"
    DOWN = "down"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PriceUpdate:
    """One price of one symbol, with the venue's time and ours, and the feed that brought it.

    `recalled`: it was asked for, not pushed, and may be days old; its age counts from the event time.
    """

    symbol: str
    price: float
    event_time: float
    receive_time: float
    feed: str = ""
    recalled: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """The end of a symbol: holdings are settled at `price`, at their own cost where that is None.

    `price` is finite and at least 0; `detail` says in a sentence how the market ended.
    """

    symbol: str
    price: float | None
    event_time: float
    receive_time: float
    detail: str = ""
    feed: str = ""


@dataclass(frozen=True, slots=True)
class Halt:
    """The halt of a symbol's trading, for the venue's `reason`, or its end where that is empty."""

    symbol: str
    reason: str
    receive_time: float
    feed: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One payload of a venue, byte for byte as it was received; the time in nanoseconds."""

    feed: str
    receive_time_ns: int
    payload: bytes

    @property
    def receive_time(self) -> float:
        """Return the time in seconds: what a parser is given, live and in a replay, to the last bit."""
        return self.receive_time_ns / 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How often news of a symbol are to be expected: seconds between two, and whether it trades now.

    `halted` says why the symbol's trading is halted; empty where it is not.
    """

    interval: float
    open: bool = True
    halted: str = ""


class PriceSink(Protocol):
    """Takes what a live feed has to say; called from the event loop."""

    def on_price(self, update: PriceUpdate) -> None:
        """Take one price."""

    def on_resolution(self, resolution: Resolution) -> None:
        """Take the end of a symbol; saying it again changes nothing."""

    def on_state(self, feed: str, state: FeedState, detail: str) -> None:
        """Take a change of the feed's condition; `detail` is a sentence for a person."""

    def on_frame(self, frame: Frame) -> None:
        """Take a payload as it came, before it is read, for a recording."""


class FrameParser(Protocol):
    """Knows what one venue's payloads mean; keeps what it must to count every price once."""

    def parse(self, payload: bytes, receive_time: float) -> Sequence[PriceUpdate | Resolution | Halt]:
        """Return what a payload says about prices and who may be traded; never raises, whatever arrives."""


class LiveFeed(Protocol):
    """A venue that pushes prices.

    `counts` says what arrived and what went wrong, by kind, for `/metrics`.
    """

    name: str
    symbols: Sequence[str]
    counts: Counter[str]

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError only when trying again cannot help."""

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether the venue answers with a price within `timeout` seconds; raise FeedError if it never will."""

    def pace(self, symbol: str, now: float) -> Pace:
        """Return how often news of a symbol are to be expected at this time."""


@dataclass(slots=True)
class History:
    """A recorded market sampled to ticks.

    `times` is float64 of shape (ticks,), strictly increasing; `prices` float64 of shape
    (ticks, symbols) with NaN where a symbol has not been seen yet. `symbols` is sorted. `notes`
    are sentences about what was skipped, reversed or overridden, `defects` the same as counts.
    `resolutions` are the symbols that came to their end, with the time from which they have no price
    and the price holdings are settled at, their own cost where that is None. `halts` are by symbol the
    times from which its trading was halted, with the reason, or went on, where that is empty.
    """

    symbols: tuple[str, ...]
    times: npt.NDArray[np.float64]
    prices: npt.NDArray[np.float64]
    notes: list[str] = field(default_factory=list)
    defects: dict[str, int] = field(default_factory=dict)
    resolutions: dict[str, tuple[float, float | None]] = field(default_factory=dict)
    halts: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
