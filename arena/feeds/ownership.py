"""Which feed sets the price of a symbol that several feeds have: the one configured last.

Live markets and replays of recordings decide by this one rule. A feed may learn symbols while it runs
(a multiple-choice market gets new answers), so a symbol can pass to a feed later in the list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Protocol


class ConfiguredFeed(Protocol):
    """A live or recorded feed: its name and the symbols it was configured with."""

    @property
    def name(self) -> str:
        """The feed's name."""

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols it was configured with."""


class Claim(Enum):
    """What a feed's price of a symbol means for who owns the symbol."""

    OWNED = "owned"
    TAKEN_OVER = "taken over"
    OVERRIDDEN = "overridden"


class SymbolOwners:
    """The owner of each symbol; of several feeds the one that is later in `feeds`.

    `shared` lists each symbol that two feeds were configured with, with the earlier and the later feed.
    """

    def __init__(self, feeds: Iterable[ConfiguredFeed]) -> None:
        self.shared: list[tuple[str, str, str]] = []
        self._ranks: dict[str, int] = {}
        self._owners: dict[str, str] = {}
        for rank, feed in enumerate(feeds):
            self._ranks[feed.name] = rank
            for symbol in feed.symbols:
                if symbol in self._owners:
                    self.shared.append((symbol, self._owners[symbol], feed.name))
                self._owners[symbol] = feed.name

    def owner(self, symbol: str) -> str | None:
        """Return the feed that sets a symbol's price."""
        return self._owners.get(symbol)

    def claim(self, feed: str, symbol: str) -> Claim:
        """Decide whether a price from `feed` counts; after TAKEN_OVER the former owner's prices do not."""
        owner = self._owners.setdefault(symbol, feed)
        if owner == feed:
            return Claim.OWNED
        if self._ranks.get(feed, -1) < self._ranks.get(owner, -1):
            return Claim.OVERRIDDEN
        self._owners[symbol] = feed
        return Claim.TAKEN_OVER
