"""Manifold's markets: the configured entries, symbols, prices and outcomes.

A configured entry is one of

    EvIhzcJXwhL0HavaszD7                              a market by its id
    will-it-rain-tomorrow                             or by its slug
    https://manifold.markets/Ann/will-it-rain-tomorrow    or by its page: the same as the slug
    who-will-win:ann-lee                              one answer of a multiple-choice market

The symbol of a yes/no market is the entry; a multiple-choice market has a symbol for every answer.

The prices of each symbol follow these rules:
- a bet counts only if it is newer than the last one, by the venue's time;
- a probability without a time counts from its receipt; if it equals the current price, it confirms that price
  at its old time; a polled one does not override a broadcast from a few seconds before;
- event times never decrease; there are no prices after the symbol's end, and after closing time only bets.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from arena.feeds.base import PriceUpdate, Resolution
from arena.feeds.json_values import parse_number, parse_object, parse_text

FEED = "manifold"
MAX_SYMBOL = 64
# With less room than this, the names of answers would be too short to differ, and their ids would not fit.
_LEAST_ROOM = 20
YES_NO = ""  # in place of an answer's id: the whole of a yes/no market
# A polled probability may be older than a broadcast received before it, by at most this much.
_OVERTAKEN_SECONDS = 5.0
_LATEST = 8.64e15  # the last moment JavaScript knows, in milliseconds

MarketNews = list[PriceUpdate | Resolution]


@dataclass(frozen=True, slots=True)
class MarketEntry:
    """A configured market: its id or slug, and an answer's name or id where only that answer is wanted."""

    market: str
    answer: str = ""

    @property
    def symbol(self) -> str:
        """Return the entry as a symbol."""
        return f"{self.market}:{self.answer}" if self.answer else self.market

    @property
    def room(self) -> int:
        """Return how long the name of an answer may be; 0 where none would fit."""
        room = MAX_SYMBOL - len(self.market) - 1
        return room if room >= _LEAST_ROOM else 0


def parse_entry(text: str) -> MarketEntry:
    """Parse one configured market; the last part of a page's address is its slug."""
    text = text.strip()
    if "/" in text:
        text = unquote(urlsplit(text).path).rstrip("/").rpartition("/")[2]
    market, _, answer = text.partition(":")
    return MarketEntry(market.strip(), answer.strip())


def answer_name(answer_id: str, text: str, room: int, taken: Container[str]) -> str:
    """Return the name of an answer: its text as a slug, its id where that is empty or taken, "" if neither fits."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:room].rstrip("-")
    for name in (slug, answer_id):
        if name and len(name) <= room and name not in taken:
            return name
    return ""


def parse_probability(value: object) -> float | None:
    """Return a probability that can be a price: 0 and 1 cannot."""
    number = parse_number(value)
    return number if number is not None and 0.0 < number < 1.0 else None


def parse_share(value: object) -> float | None:
    """Return what a share pays at the end: 0 and 1 included."""
    number = parse_number(value)
    return number if number is not None and 0.0 <= number <= 1.0 else None


def parse_milliseconds(value: object) -> float | None:
    """Return a time in milliseconds as seconds."""
    number = parse_number(value)
    return number / 1e3 if number is not None and 0.0 < number <= _LATEST else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a share pays when the market is resolved, None where holders get back what they paid."""

    price: float | None
    detail: str


CANCELLED = Outcome(None, "Manifold cancelled the market; holdings are worth what they cost.")


def own_outcome(body: Mapping[str, Any]) -> Outcome | None:
    """Return the outcome of a yes/no market, or of an answer with an outcome of its own; None if it is open.

    Manifold writes YES, NO, MKT (a probability) or CANCEL.
    """
    word = parse_text(body.get("resolution"))
    if not word:
        return None
    if word == "CANCEL":
        return CANCELLED
    if word in {"YES", "NO"}:
        return Outcome(1.0 if word == "YES" else 0.0, f"Manifold resolved it {word}.")
    shares = (parse_share(body.get(key)) for key in ("resolutionProbability", "prob", "probability"))
    share = next((share for share in shares if share is not None), None)
    return None if share is None else partial_outcome(share)


def partial_outcome(share: float) -> Outcome:
    """Return the outcome that pays a part of 1."""
    return Outcome(share, f"Manifold resolved it to {share:.4g}.")


def chosen_outcomes(body: Mapping[str, Any], answers: Collection[str]) -> dict[str, Outcome]:
    """Return the outcome of each answer of a multiple-choice market; empty where the market does not say.

    The market names the answer that won, or `resolutions` holds the weights of several, or it is cancelled. By
    REST it may say that several won and not which; the probabilities show that later.
    """
    word = parse_text(body.get("resolution"))
    if word == "CANCEL":
        return dict.fromkeys(answers, CANCELLED)
    weights = {answer: parse_number(weight) or 0.0 for answer, weight in parse_object(body.get("resolutions")).items()}
    if word in answers and not weights:
        weights = {word: 1.0}
    total = sum(weights.values())
    if total <= 0.0 or min(weights.values()) < 0.0:
        return {}
    return {answer: _choice_outcome(weights.get(answer, 0.0) / total) for answer in answers}


def _choice_outcome(share: float) -> Outcome:
    if share in {0.0, 1.0}:
        return Outcome(share, "Manifold chose this answer." if share else "Manifold chose another answer.")
    return partial_outcome(share)


@dataclass(slots=True)
class _AnswerPrice:
    """The newest price of one answer, shared by its symbols if it was configured twice."""

    symbols: tuple[str, ...]
    price: float = math.nan
    event_time: float = -math.inf
    bet_time: float = -math.inf
    push_time: float = -math.inf
    ended: bool = False

    def update(self, price: float, event_time: float, received: float) -> MarketNews:
        self.price = price
        self.event_time = max(event_time, self.event_time)
        return [PriceUpdate(symbol, price, self.event_time, received, FEED) for symbol in self.symbols]

    def confirms(self, price: float) -> bool:
        return math.isclose(price, self.price, rel_tol=1e-9)


class ManifoldMarket:
    """The known state of one market; `entries` are the configured ones that refer to it.

    `close_time` is in Unix seconds. `last_bet` is the time of the newest bet on any of its answers.
    `known_answers` holds the ids of all answers, with or without a symbol.
    """

    def __init__(self, market_id: str, entries: Sequence[MarketEntry]) -> None:
        self.id = market_id
        self.close_time = math.inf
        self.last_bet = -math.inf
        self.resolved = False
        self.known_answers: set[str] = set()
        self._entries = entries
        self._prices: dict[str, _AnswerPrice] = {}
        self._names: dict[str, set[str]] = {entry.market: set() for entry in entries}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return its symbols in the order in which they were learnt."""
        return tuple(symbol for found in self._prices.values() for symbol in found.symbols)

    @property
    def answers(self) -> list[str]:
        """Return the ids of the answers that have symbols; [YES_NO] for a yes/no market."""
        return list(self._prices)

    @property
    def ended(self) -> bool:
        """Return whether all its symbols have been resolved."""
        return all(found.ended for found in self._prices.values())

    def is_named(self, name: str) -> bool:
        """Return whether an entry refers to it by this id or slug."""
        return name in self._names

    def trades_at(self, moment: float) -> bool:
        """Return whether the venue takes bets at this time."""
        return not self.resolved and moment < self.close_time

    def learn_yes_no(self) -> None:
        """Give a yes/no market its symbols."""
        if not self._prices:
            names = (entry.symbol for entry in self._entries if not entry.answer)
            self._add(YES_NO, (name for name in names if len(name) <= MAX_SYMBOL))

    def learn_answer(self, answer_id: str, text: str) -> None:
        """Give an answer its symbols, unless it has them; of two answers with one name the first keeps it."""
        if answer_id not in self.known_answers:
            self.known_answers.add(answer_id)
            self._add(answer_id, self._answer_symbols(answer_id, text))

    def apply_bet(self, answer: str, price: float, made: float, received: float) -> MarketNews:
        """Take the probability after a bet made at `made`."""
        self.last_bet = max(self.last_bet, made)
        found = self._prices.get(answer)
        if found is None or found.ended or made <= found.bet_time:
            return []
        found.bet_time, found.push_time = made, received
        return found.update(price, made, received)

    def apply_page(self, answer: str, price: float, made: float, received: float) -> MarketNews:
        """Take a price of the market's REST page, as old as its last bet; a cached page may be outdated."""
        found = self._prices.get(answer)
        if found is None or found.ended or made < self.last_bet or not self.trades_at(received):
            return []
        if found.confirms(price):
            price = found.price
        elif made <= found.event_time:
            return []
        found.bet_time = max(made, found.bet_time)
        return found.update(price, made, received)

    def apply_broadcast(self, answer: str, price: float, received: float) -> MarketNews:
        """Take a price that was broadcast without a time."""
        news = self._untimed(answer, price, received)
        if news:
            self._prices[answer].push_time = received
        return news

    def apply_poll(self, answer: str, price: float, received: float) -> MarketNews:
        """Take a polled price."""
        found = self._prices.get(answer)
        if found and abs(received - found.push_time) < _OVERTAKEN_SECONDS and not found.confirms(price):
            return []
        return self._untimed(answer, price, received)

    def resolve(self, answer: str, outcome: Outcome, moment: float, received: float) -> MarketNews:
        """End an answer, or the yes/no market; a later outcome changes nothing."""
        found = self._prices.get(answer)
        if found is None or found.ended:
            return []
        found.ended = True
        return [Resolution(s, outcome.price, moment, received, outcome.detail, FEED) for s in found.symbols]

    def _untimed(self, answer: str, price: float, received: float) -> MarketNews:
        found = self._prices.get(answer)
        if found is None or found.ended or not self.trades_at(received):
            return []
        if found.confirms(price):
            return found.update(found.price, found.event_time, received)
        return found.update(price, received, received)

    def _add(self, answer: str, symbols: Iterable[str]) -> None:
        if found := tuple(dict.fromkeys(symbols)):
            self._prices[answer] = _AnswerPrice(found)

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
