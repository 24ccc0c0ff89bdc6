"""The types that all sources of prices share.

A live feed pushes prices into a sink until it is cancelled, and reconnects by itself. Each venue has one
`FrameParser`, used live and in a replay of recorded payloads. A `History` is a recorded market sampled to
ticks. Every price has an event time (the venue's) and a receive time (ours), as float Unix seconds, UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # numpy is slow to import, and live feeds do not need it
    import numpy as np
    import numpy.typing as npt

# Prices of a recorded market, 800 MB: more is a wrong time or a wrong interval.
MOST_CELLS = 100_000_000


class FeedState(StrEnum):
    """The state of a live feed."""

    CONNECTING = "connecting"
    LIVE = "live"
    DOWN = "down"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PriceUpdate:
    """One price of one symbol, with both its times and the feed that brought it.

    A snapshot was requested, not pushed, and may be days old: its age counts from the event time.
    """

    symbol: str
    price: float
    event_time: float
    receive_time: float
    feed: str = ""
    is_snapshot: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """The end of a symbol: positions are settled at `price`, at their own cost where that is None.

    `price` is finite and at least 0; `detail` is a sentence about the outcome.
    """

    symbol: str
    price: float | None
    event_time: float
    receive_time: float
    detail: str = ""
    feed: str = ""


@dataclass(frozen=True, slots=True)
class Halt:
    """A trading halt of a symbol with the venue's `reason`, or its end where the reason is empty."""

    symbol: str
    reason: str
    receive_time: float
    feed: str = ""


@dataclass(frozen=True, slots=True)
class RawFrame:
    """One payload of a venue, byte for byte as received, with the receive time in nanoseconds."""

    feed: str
    receive_time_ns: int
    payload: bytes

    @property
    def receive_time(self) -> float:
        """Return the time in seconds; parsers get this same number live and in a replay."""
        return self.receive_time_ns / 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """The expected seconds between two updates of a symbol, and whether its market is open.

    `halted` is the reason of a trading halt, empty where there is none.
    """

    interval: float
    open: bool = True
    halted: str = ""


class PriceSink(Protocol):
    """Receives what a live feed produces; called from the event loop."""

    def on_price(self, update: PriceUpdate) -> None:
        """Take one price."""

    def on_resolution(self, resolution: Resolution) -> None:
        """Take the end of a symbol; a repetition changes nothing."""

    def on_state(self, feed: str, state: FeedState, detail: str) -> None:
        """Take a change of the feed's state; `detail` is a sentence for the user."""

    def on_frame(self, frame: RawFrame) -> None:
        """Take a payload before it is parsed, for a recording."""


class FrameParser(Protocol):
    """Parses one venue's payloads; keeps the state it needs to return every price once."""

    def parse(self, payload: bytes, receive_time: float) -> Sequence[PriceUpdate | Resolution | Halt]:
        """Return the prices, resolutions and halts in a payload; never raises, whatever arrives."""


class LiveFeed(Protocol):
    """The connector to one venue.

    `counts` counts payloads and failures by kind, for `/metrics`.
    """

    name: str
    symbols: Sequence[str]
    counts: Counter[str]

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError only when trying again cannot help."""

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether the venue answers with a price within `timeout` seconds; raise FeedError if it never will."""

    def pace(self, symbol: str, now: float) -> Pace:
        """Return how often updates of a symbol are expected at this time."""


class DailyUsage(Protocol):
    """The number of requests made on each UTC day, kept across restarts; called from the event loop."""

    def used(self, day: str) -> int:
        """Return how many requests were made on a day such as 2026-07-22."""

    def spend(self, day: str, count: int = 1) -> None:
        """Add requests to a day."""


@dataclass(slots=True)
class History:
    """A recorded market sampled to ticks.

    `times` is float64 of shape (ticks,), strictly increasing; `prices` float64 of shape
    (ticks, symbols) with NaN where a symbol has not been seen yet. `symbols` is sorted. `notes`
    are sentences about what was skipped, reversed or overridden, `defects` the same as counts.
    `resolutions` has, by symbol that ended, the time from which it has no price and the settlement price,
    None for settlement at cost. `halts` has, by symbol, the times at which a halt began, with its reason, or
    ended, with an empty one.
    """

    symbols: tuple[str, ...]
    times: npt.NDArray[np.float64]
    prices: npt.NDArray[np.float64]
    notes: list[str] = field(default_factory=list)
    defects: dict[str, int] = field(default_factory=dict)
    resolutions: dict[str, tuple[float, float | None]] = field(default_factory=dict)
    halts: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
