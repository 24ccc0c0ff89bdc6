"""What every source of prices has in common.

A live feed pushes `PriceUpdate`s into a sink until it is cancelled and reconnects by itself; a
`History` is a recorded market, already sampled to ticks. Event time (the venue's) and receive time
(ours) are kept apart; both are float Unix seconds, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
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
    """One price of one symbol, with the venue's time and ours."""

    symbol: str
    price: float
    event_time: float
    receive_time: float


class PriceSink(Protocol):
    """Takes what a live feed has to say; called from the event loop."""

    def on_price(self, update: PriceUpdate) -> None:
        """Take one price."""

    def on_state(self, feed: str, state: FeedState, detail: str) -> None:
        """Take a change of the feed's condition; `detail` is a sentence for a person."""


class LiveFeed(Protocol):
    """A venue that pushes prices."""

    name: str
    symbols: Sequence[str]

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError only when trying again cannot help."""


@dataclass(slots=True)
class History:
    """A recorded market sampled to ticks.

    `times` is float64 of shape (ticks,), strictly increasing; `prices` float64 of shape
    (ticks, symbols) with NaN where a symbol has not been seen yet. `symbols` is sorted. `notes`
    are sentences about what was skipped, reversed or overridden, `defects` the same as counts.
    """

    symbols: tuple[str, ...]
    times: npt.NDArray[np.float64]
    prices: npt.NDArray[np.float64]
    notes: list[str] = field(default_factory=list)
    defects: dict[str, int] = field(default_factory=dict)
