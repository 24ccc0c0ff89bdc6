"""The bytes that one worker gets of a recorded market: runs of ticks, with account and symbols where it needs them.

A worker keeps a mirror of its account while it runs ahead. The account goes along only where the mirror cannot
have come to it by itself: at the start, after a tick that was skipped, and where the market had conditions.
"""

from __future__ import annotations

from bisect import bisect_right

from arena.core.ledger import Account
from arena.engine.backtest.market import RecordedMarket
from arena.runtime.wire import pack_run, quiet_reply


class RunPacker:
    """Packs the runs of one worker; `mirrored` says whether its account is known to be ours."""

    def __init__(self, market: RecordedMarket) -> None:
        self.mirrored = False
        self.knows_symbols = False
        # A run never crosses a tick with conditions, which the worker does not know.
        self.special_ticks = sorted(market.conditions)
        self._market = market
        self._width = 1 + len(market.symbols)
        self._heads: dict[int, bytes] = {}
        self._quiet: tuple[Account | None, bytes] = (None, b"")

    def needs_account(self, start: int) -> bool:
        """Say whether a run from tick `start` on must carry the account."""
        return not self.mirrored or start in self._market.conditions

    def end_of_run(self, start: int, ticks: int) -> int:
        """Return the end of a run of at most `ticks` ticks."""
        end = min(start + ticks, len(self._market))
        if self.special_ticks:
            end = min([end, *self.special_ticks[bisect_right(self.special_ticks, start) :][:1]])
        return end

    def pack(self, start: int, end: int, account: Account | None) -> bytes:
        """Return the ticks from `start` to before `end`, and the account where there is one."""
        rows = self._market.values[start * self._width : end * self._width]
        self.mirrored = True
        if account is None and self.knows_symbols:
            return self._head(end - start) + rows
        with_symbols, self.knows_symbols = not self.knows_symbols, True
        return self._packed(rows, end - start, account, with_symbols=with_symbols)

    def quiet_reply(self, account: Account) -> bytes:
        """Return the reply that says that a bot with this account did nothing."""
        if account is not self._quiet[0]:
            self._quiet = (account, quiet_reply(account))
        return self._quiet[1]

    def _packed(
        self, rows: bytes | memoryview[float], count: int, account: Account | None, *, with_symbols: bool = False
    ) -> bytes:
        market = self._market
        return pack_run(rows, count, market.symbols, account, with_symbols=with_symbols, whole=market.whole)

    def _head(self, count: int) -> bytes:
        """Return what stands before the rows of a run that carries nothing else."""
        head = self._heads.get(count)
        if head is None:
            head = self._heads[count] = self._packed(b"", count, None)
        return head
