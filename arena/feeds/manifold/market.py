"""One Manifold market as far as it is known: its symbols, their newest prices, and how it ended.

Rules kept here, for each symbol:
- of bets only a newer one counts, by the venue's time;
- a probability without a time of its own counts from its receipt; one that is unchanged says so again
  at the time of the price it confirms; one that was asked for does not undo what a broadcast said just
  before it;
- times never run backwards; after its end, and (but for bets) after closing time, no price comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from arena.feeds.base import PriceUpdate, Resolution
from arena.feeds.manifold.names import MAX_SYMBOL, Entry, answer_name
from arena.feeds.manifold.outcome import Outcome

FEED = "manifold"
WHOLE = ""  # in the place of an answer's id: the market itself, where it is a yes/no market
# An answer to a question may be older than a broadcast that overtook it, by this much at most.
_OVERTAKEN_SECONDS = 5.0

News = list[PriceUpdate | Resolution]


@dataclass(slots=True)
class _Series:
    """The newest price of one answer; the same for all its symbols, if it was configured twice."""

    symbols: tuple[str, ...]
    price: float = math.nan
    event_time: float = -math.inf
    bet_time: float = -math.inf
    heard: float = -math.inf
    ended: bool = False

    def tell(self, price: float, event_time: float, received: float) -> News:
        self.price = price
        self.event_time = max(event_time, self.event_time)
        return [PriceUpdate(symbol, price, self.event_time, received, FEED) for symbol in self.symbols]

    def confirms(self, price: float) -> bool:
        return math.isclose(price, self.price, rel_tol=1e-9)


class Market:
    """What is known of one market; `entries` are the configured ones that mean it.

    `close_time` is in Unix seconds. `last_bet` is the time of the newest bet on any of its answers.
    `named` holds the ids of all answers, those included that nobody asked for.
    """

    def __init__(self, market_id: str, entries: Sequence[Entry]) -> None:
        self.id = market_id
        self.close_time = math.inf
        self.last_bet = -math.inf
        self.resolved = False
        self.named: set[str] = set()
        self._entries = entries
        self._series: dict[str, _Series] = {}
        self._names: dict[str, set[str]] = {entry.market: set() for entry in entries}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return its symbols, in the order in which they became known."""
        return tuple(symbol for series in self._series.values() for symbol in series.symbols)

    @property
    def answers(self) -> list[str]:
        """Return the ids of the answers that have symbols; WHOLE for a yes/no market."""
        return list(self._series)

    @property
    def ended(self) -> bool:
        """Say whether all its symbols have come to their end."""
        return all(series.ended for series in self._series.values())

    def means(self, name: str) -> bool:
        """Say whether an entry calls it by this id or slug."""
        return name in self._names

    def trades_at(self, moment: float) -> bool:
        """Say whether the venue takes bets at this time."""
        return not self.resolved and moment < self.close_time

    def learn_whole(self) -> None:
        """Give a yes/no market its symbols."""
        if not self._series:
            names = (entry.symbol for entry in self._entries if not entry.answer)
            self._add(WHOLE, (name for name in names if len(name) <= MAX_SYMBOL))

    def learn_answer(self, answer_id: str, text: str) -> None:
        """Give an answer its symbols, unless it has them; the first of two alike keeps the name."""
        if answer_id not in self.named:
            self.named.add(answer_id)
            self._add(answer_id, self._answer_symbols(answer_id, text))

    def bet(self, answer: str, price: float, made: float, received: float) -> News:
        """Take the price that a bet led to."""
        self.last_bet = max(self.last_bet, made)
        series = self._series.get(answer)
        if series is None or series.ended or made <= series.bet_time:
            return []
        series.bet_time, series.heard = made, received
        return series.tell(price, made, received)

    def read(self, answer: str, price: float, made: float, received: float) -> News:
        """Take a price of a whole market's page, as old as its last bet; a cached page may be outdated."""
        series = self._series.get(answer)
        if series is None or series.ended or made < self.last_bet or not self.trades_at(received):
            return []
        if series.confirms(price):
            price = series.price
        elif made <= series.event_time:
            return []
        series.bet_time = max(made, series.bet_time)
        return series.tell(price, made, received)

    def told(self, answer: str, price: float, received: float) -> News:
        """Take a price that was broadcast without a time."""
        news = self._untimed(answer, price, received)
        if news:
            self._series[answer].heard = received
        return news

    def polled(self, answer: str, price: float, received: float) -> News:
        """Take a price that was asked for."""
        series = self._series.get(answer)
        if series and abs(received - series.heard) < _OVERTAKEN_SECONDS and not series.confirms(price):
            return []
        return self._untimed(answer, price, received)

    def end(self, answer: str, outcome: Outcome, moment: float, received: float) -> News:
        """Take the end of an answer, or of the whole; the first word counts."""
        series = self._series.get(answer)
        if series is None or series.ended:
            return []
        series.ended = True
        return [Resolution(s, outcome.price, moment, received, outcome.detail, FEED) for s in series.symbols]

    def _untimed(self, answer: str, price: float, received: float) -> News:
        series = self._series.get(answer)
        if series is None or series.ended or not self.trades_at(received):
            return []
        if series.confirms(price):
            return series.tell(series.price, series.event_time, received)
        return series.tell(price, received, received)

    def _add(self, answer: str, symbols: Iterable[str]) -> None:
        if found := tuple(dict.fromkeys(symbols)):
            self._series[answer] = _Series(found)

    def _answer_symbols(self, answer_id: str, text: str) -> Iterator[str]:
        names: dict[str, str] = {}
        for entry in self._entries:
            taken = self._names[entry.market]
            if entry.market not in names:
                names[entry.market] = answer_name(answer_id, text, entry.room, taken)
                taken.add(names[entry.market])
            name = names[entry.market]
            if not entry.answer and name:
                yield f"{entry.market}:{name}"
            elif entry.answer in {name, answer_id} and entry.answer and len(entry.symbol) <= MAX_SYMBOL:
                yield entry.symbol
