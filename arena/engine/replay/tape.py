"""The recorded ticks of a season as one market, read once for all bots that go through them again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Engine as Database

from arena.core.exchange import Conditions
from arena.engine.backtest.market import RecordedMarket
from arena.engine.replay.replayer import RecordedTicks
from arena.errors import StoreError
from arena.store.recovered import last_known_prices
from arena.store.tick_columns import tick_columns

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BLOCK = 1 << 13


class TickTape:
    """The ticks of a season up to tick `last`; blocks are read when a bot needs them, the newest ones first.

    They stand in a file that has no name and is mapped: the kernel keeps as much of it in memory as there is room for.
    Used by one thread.
    """

    def __init__(
        self,
        database: Database,
        season_id: str,
        symbols: Sequence[str],
        last: int,
        keep_on: Callable[[], None] = lambda: None,
    ) -> None:
        """Make a tape; `keep_on` is called while ticks are read, and what it raises ends the reading."""
        self._database, self._season_id, self._last = database, season_id, last
        self._keep_on = keep_on
        self._lay_out(tuple(sorted(symbols)))

    def _lay_out(self, symbols: tuple[str, ...]) -> None:
        import numpy as np

        self._symbols = symbols
        # Blocks from this one on have been read.
        self._from = -(-(self._last + 1) // BLOCK)
        self._conditions: dict[int, Conditions] = {}
        self._known: dict[int, RecordedTicks] = {}
        shape = self._last + 1, 1 + len(symbols)
        with tempfile.TemporaryFile() as file:
            file.truncate(max(8 * shape[0] * shape[1], 8))
            self._rows: npt.NDArray[np.float64] = np.memmap(file, np.float64, "r+", shape=shape)

    def since(self, tick: int) -> RecordedTicks:
        """Return the ticks from a block's begin at or before `tick` on; StoreError where one is missing."""
        import numpy as np

        block = max(0, tick) // BLOCK
        while self._from > block:
            if self._read(self._from - 1):
                self._from -= 1
        first = block * BLOCK
        known: Mapping[str, float] = {}
        if first and np.isnan(self._rows[first]).any():
            # What has no price at the block's begin had its last one before.
            found = last_known_prices(self._database, self._season_id, first)
            if found is None:
                return self.since(0)
            known = found
        if block not in self._known:
            here = {n - first: barred for n, barred in self._conditions.items() if n >= first}
            market = RecordedMarket(self._symbols, self._rows[first:], here, known)
            self._known[block] = RecordedTicks(first, market)
        return self._known[block]

    def _read(self, block: int) -> bool:
        """Read one block; False where a symbol came up that nobody had named, and all is laid out anew."""
        first, end = block * BLOCK, min((block + 1) * BLOCK, self._last + 1)
        at = first
        for part in tick_columns(self._database, self._season_id, first, end):
            self._keep_on()
            if part.first != at:
                break
            if not set(part.symbols) <= set(self._symbols):
                self._lay_out(tuple(sorted({*self._symbols, *part.symbols})))
                return False
            places = [0, *(1 + self._symbols.index(symbol) for symbol in part.symbols)]
            rows = self._rows[at : at + len(part.rows)]
            rows[:] = float("nan")
            rows[:, places] = part.rows
            for n, found in part.conditions.items():
                self._conditions[n] = Conditions(found.get("barred", {}), found.get("ended", {}))
            at += len(part.rows)
        if at != end:
            raise StoreError(f"Tick {at} is missing from the record.")
        return True
