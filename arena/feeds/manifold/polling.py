"""What is asked by REST, and when.

First every configured market is read; one that is not there is left out, by name. Then, in each round:
the markets that may have changed unheard, one other market in turn (so that the end of a market is found
even where its broadcast was missed), and the probabilities of all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from arena.feeds.dialling import Setback
from arena.feeds.manifold.frames import ManifoldParser
from arena.feeds.manifold.names import Entry
from arena.feeds.manifold.rest import MOST_IDS, ManifoldRest, RefusalError

log = logging.getLogger("arena.feeds.manifold")


class Polling:
    """The questions to one venue; every answer goes to `take`, which has `parser` read it.

    `left_out` says, by what was configured, why it has no price. `due` are the ids of markets to be read
    again in the next round.
    """

    def __init__(
        self, rest: ManifoldRest, parser: ManifoldParser, entries: Iterable[Entry], take: Callable[[bytes], None]
    ) -> None:
        self.left_out: dict[str, str] = {}
        self.due: set[str] = set()
        self._rest = rest
        self._parser = parser
        self._take = take
        self._unread: dict[str, list[Entry]] = {}
        for entry in entries:
            self._unread.setdefault(entry.market, []).append(entry)
        self._turn = 0

    async def find(self) -> Setback | None:
        """Read the configured markets that have not been read yet; return why some still are not."""
        return await _all(self._find(name) for name in list(self._unread))

    async def round(self) -> Setback | None:
        """Ask for all that is due; return why something was not answered.

        A market that cannot be read does not count: it must not hold up the others.
        """
        await self.find()
        self.due |= {market.id for market in self._parser.markets.values() if market.resolved and not market.ended}
        read = await _all(self._read_again(market_id) for market_id in self.due | self._next_in_turn())
        ids = self._open()
        told = await _all(self._ask(ids[at : at + MOST_IDS]) for at in range(0, len(ids), MOST_IDS))
        return told or read

    def read_all_again(self) -> None:
        """Have every market that has not ended read in the next round."""
        self.due.update(self._open())

    def _open(self) -> list[str]:
        return [market.id for market in self._parser.markets.values() if not market.ended]

    def _next_in_turn(self) -> set[str]:
        ids = self._open()
        self._turn += 1
        return {ids[self._turn % len(ids)]} if ids else set()

    async def _find(self, name: str) -> None:
        try:
            body = await self._rest.market(name)
            if body is not None:
                self._read(name, body)
        except RefusalError as error:
            self.left_out[name] = "it cannot be read yet"
            log.info("The market %s cannot be read yet: %s", name, error)
            raise
        if body is None:
            self._leave_out(name, "Manifold has no such market")

    def _read(self, name: str, body: bytes) -> None:
        self._take(body)
        if not any(market.means(name) for market in self._parser.markets.values()):
            raise RefusalError(Setback(f"Manifold answered with something that is not the market {name}."))
        self.left_out.pop(name, None)
        symbols = self._parser.symbols
        for entry in self._unread.pop(name, ()):
            if not any(symbol == entry.symbol or symbol.startswith(f"{entry.symbol}:") for symbol in symbols):
                self._leave_out(entry.symbol, "it has no probability by that name")

    def _leave_out(self, name: str, why: str) -> None:
        self._unread.pop(name, None)
        self.left_out[name] = why
        log.warning("Manifold's market %s is left out: %s", name, why)

    async def _read_again(self, market_id: str) -> None:
        body = await self._rest.market_by_id(market_id)
        self.due.discard(market_id)
        if body is not None:
            self._take(body)

    async def _ask(self, ids: list[str]) -> None:
        self._take(await self._rest.probabilities(ids))


async def _all(questions: Iterable[Awaitable[None]]) -> Setback | None:
    """Ask them side by side to the end, and return one setback of those that were met."""
    answers = await asyncio.gather(*questions, return_exceptions=True)
    setback = None
    for answer in answers:
        if isinstance(answer, RefusalError):
            setback = answer.setback
        elif isinstance(answer, BaseException):
            raise answer
    return setback
