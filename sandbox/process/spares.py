"""Spare children, forked and locked ahead, so that a start need not wait for its fork.

Each serves one bot. They are forked when none has been taken for a moment: a fork during a submission takes the CPU
from the very submission that it should speed up.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from sandbox.errors import SandboxError
from sandbox.process.spawn import SpawnRequest

# Seconds. A submission takes its last child well within this time after its first.
_QUIET = 0.03
# Where many are wanted at once, so many are forked while one is put to use.
_BURST = 2
# Two submissions at once find a child each to be checked in, to be tried in, and to run in.
_READERS, _WORKERS = 2, 4

OrderChild = Callable[[bool], SpawnRequest]


class Spares:
    """Two stocks: workers, and readers, which are warmed up to check a source.

    `order` asks the zygote for a child; its argument says whether that shall be a reader.
    """

    def __init__(self, order: OrderChild) -> None:
        self._order = order
        self._readers: deque[SpawnRequest] = deque()
        self._workers: deque[SpawnRequest] = deque()
        self._taken = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._readers) + len(self._workers)

    def start(self) -> None:
        """Keep both stocks filled, by a thread that forks when it is quiet."""
        if self._thread is None and not self._stopping:
            self._thread = threading.Thread(target=self._refill, name="spares", daemon=True)
            self._thread.start()
        self._taken.set()

    def take(self, *, reader: bool) -> SpawnRequest | None:
        """Take one from its stock, None if it is empty; a worker may serve as a reader, but never the reverse."""
        for stock in (self._readers, self._workers) if reader else (self._workers,):
            with contextlib.suppress(IndexError):
                return stock.popleft()
        return None

    def take_either(self) -> SpawnRequest | None:
        """Take one of any kind; for when no more can be forked."""
        return self.take(reader=False) or self.take(reader=True)

    def take_all(self) -> Iterator[SpawnRequest]:
        """Empty both stocks, because the zygote has ended."""
        while (order := self.take_either()) is not None:
            yield order

    def refill_soon(self) -> None:
        """Order workers at once where none is left, and refill the rest when it is quiet."""
        with contextlib.suppress(SandboxError):
            if not self._workers:
                self._workers.extend(self._order(False) for _ in range(_BURST))
        self._taken.set()

    def stop(self) -> None:
        """Order no more."""
        self._stopping = True
        self._taken.set()
        if self._thread is not None:
            self._thread.join(timeout=3)

    def _refill(self) -> None:
        while not self._stopping:
            self._taken.wait()
            # A taking meanwhile does not wake this thread, which would take the CPU from the taker.
            while self._taken.is_set() and not self._stopping:
                self._taken.clear()
                time.sleep(_QUIET)
            self._fill_up()

    def _fill_up(self) -> None:
        # Such as no free user id, or a zygote that has ended: whoever asks for a child next gets the error.
        with contextlib.suppress(SandboxError):
            for stock, wanted, reading in ((self._workers, _WORKERS, False), (self._readers, _READERS, True)):
                while len(stock) < wanted and not self._stopping and not self._taken.is_set():
                    stock.append(self._order(reading))
