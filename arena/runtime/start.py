"""What a worker is told once, before it loads its bot; it comes from the server and is trusted.

Marshalled, because reading it is one call in C; server and worker are the same Python.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from dataclasses import dataclass

from arena.core.exchange import RuleParts
from arena.core.ledger import Account, Position


@dataclass(frozen=True, slots=True)
class Start:
    """What a worker is told once: names, rules, seed, and where clock and account stand."""

    bot_name: str
    seed: int
    now: float
    seen: bool
    prices: Mapping[str, float]
    last_prices: Mapping[str, float]
    symbols: tuple[str, ...]
    account: Account
    rules: RuleParts

    def pack(self) -> bytes:
        """Return the bytes of a START frame's meta part."""
        held = {s: [p.size, p.average] for s, p in self.account.positions.items()}
        account = [self.account.cash, held, *self.account[2:]]
        return marshal.dumps((
            self.bot_name, self.seed, self.now, self.seen, dict(self.prices),
            dict(self.last_prices), self.symbols, account, self.rules,
        ))  # fmt: skip

    @classmethod
    def read(cls, payload: bytes) -> Start:
        """Read the meta part; it comes from the server and is trusted."""
        name, seed, now, seen, prices, last, symbols, account, rules = marshal.loads(payload)  # noqa: S302
        cash, held, *rest = account
        positions = {symbol: Position(*both) for symbol, both in held.items()}
        return cls(
            name, seed, now, seen, prices, last, tuple(symbols),
            Account(cash, positions, *rest), tuple(rules),
        )  # fmt: skip
