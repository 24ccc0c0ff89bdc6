"""What an Alpaca connection is told: where, how, and how long to wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from arena.feeds.alpaca.codec import Encoding
from arena.feeds.alpaca.parser import Prices
from arena.feeds.alpaca.rest import LatestPrices, Question
from arena.feeds.alpaca.session import Keys
from arena.feeds.base import Pace


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the feed waits for what, in seconds.

    `login` covers greeting to subscription; the venue itself allows ten seconds. An open market that
    is silent for `silence`, by default five of its usual intervals and at least two minutes, means a
    connection that is dead. `limit_delay` begins the back-off after a refusal for too many
    connections: the venue may go on counting a lost one for a while.
    """

    open_timeout: float = 10.0
    login: float = 10.0
    silence: float | None = None
    first_delay: float = 1.0
    max_delay: float = 60.0
    limit_delay: float = 15.0
    max_limit_delay: float = 300.0
    complaint_every: float = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint: what it is called, its address, its symbols, and when its market trades.

    `latest` is where its last prices are asked for, if anywhere; `halts` whether its market has them.
    """

    label: str
    url: str
    symbols: tuple[str, ...]
    pace: Callable[[float], Pace]
    latest: Question | None = None
    halts: bool = False


@dataclass(frozen=True, slots=True)
class Manner:
    """How to talk to every endpoint."""

    keys: Keys
    prices: Prices
    encoding: Encoding
    timing: Timing
    clock: Callable[[], int] = time.time_ns
    rest: LatestPrices | None = None
