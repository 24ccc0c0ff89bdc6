"""What the workers are shown of a tick: the same bytes for all whose account they know already."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from arena.core.ledger import Account
from arena.runtime.wire import pack_run


class TickPayload:
    """One tick as the workers are shown it; `version` counts the changes of the market's symbols."""

    def __init__(self, time: float, symbols: Sequence[str], prices: Mapping[str, float], version: int) -> None:
        nan = float("nan")
        values = [time, *(prices.get(symbol, nan) for symbol in symbols)]
        self._row = struct.pack(f"<{len(values)}d", *values)
        self._symbols = symbols
        self._whole = len(prices) == len(symbols)
        self.version = version
        self.alone = self.packed(None, with_symbols=False)

    def packed(self, account: Account | None, *, with_symbols: bool) -> bytes:
        """Return what goes to a worker that has to be told its account, or the symbols as well."""
        return pack_run(self._row, 1, self._symbols, account, with_symbols=with_symbols, whole=self._whole)
