"""Which feed sets the price of a symbol that several feeds have: the one configured last.

Live markets and replays of recordings decide by this one rule. A feed may learn symbols while it runs
(a multiple-choice market gets new answers), so a symbol can pass to a feed later in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol


class ConfiguredFeed(Protocol):
    """A live or recorded feed: its name and the symbols it was configured with."""

    @property
    def name(self) -> str:
        """The feed's name."""

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols it was configured with."""


class SymbolOwners:
    """The owner of each symbol; of several feeds the one that is later in `feeds`.

    `shared` lists each symbol that two feeds were configured with, with the earlier and the later feed.
    `on_takeover` is called with a symbol, its former and its new owner, before the new owner's first price
    counts.
    """

    def __init__(self, feeds: Iterable[ConfiguredFeed], on_takeover: Callable[[str, str, str], None]) -> None:
        self.shared: list[tuple[str, str, str]] = []
        self._on_takeover = on_takeover
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

    def accepts(self, feed: str, symbol: str) -> bool:
        """Return whether a price of this feed counts; it may take the symbol over from an earlier feed."""
        owner = self._owners.setdefault(symbol, feed)
        if owner == feed:
            return True
        if self._ranks.get(feed, -1) < self._ranks.get(owner, -1):
            return False
        self._owners[symbol] = feed
        self._on_takeover(symbol, owner, feed)
        return True
