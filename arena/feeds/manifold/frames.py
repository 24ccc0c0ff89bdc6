"""What Manifold's payloads mean: the one reader of REST answers, broadcasts and recordings.

They are told apart by their shape. A whole market says what its answers are called and so comes first,
live and in a recording; what speaks of a market that has not been read is passed over.

    {"id":…,"outcomeType":…,"probability":…}     a market, by REST
    {"ID":{"prob":…},"ID":{"answerProbs":{…}}}   the probabilities of several; one market's without its id
    {"type":"broadcast","topic":…,"data":{…}}    a bet, a changed market, answers
    {"type":"ack",…}                             an answer to what we sent
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import orjson

from arena.feeds.base import PriceUpdate
from arena.feeds.manifold.market import WHOLE, Market, News
from arena.feeds.manifold.names import Entry, entry_of
from arena.feeds.manifold.outcome import Outcome, chosen_outcomes, own_outcome, shared
from arena.feeds.manifold.values import (
    fields_of,
    items_of,
    number_of,
    probability_of,
    seconds_of,
    share_of,
    text_of,
)

# A bet from further ahead than this is a wrong number: it would make all that follow look old.
_AHEAD_SECONDS = 86_400.0


class ManifoldParser:
    """Turns payloads into prices and ends of the configured markets, or of every market where none are given.

    A market that was not configured is called by its slug. `counts` says how many payloads of which kind
    came (markets, probabilities, bets, updates, acks, errors, unknown, garbled), and how many prices and
    resolutions that made; old: bets that were told before; bad_prices: what was no probability.
    """

    def __init__(self, markets: Iterable[str | Entry] = ()) -> None:
        self.counts: Counter[str] = Counter()
        self.markets: dict[str, Market] = {}
        self._entries: dict[str, list[Entry]] = {}
        for entry in markets:
            found = entry_of(entry) if isinstance(entry, str) else entry
            self._entries.setdefault(found.market, []).append(found)

    def parse(self, payload: bytes, receive_time: float) -> News:
        """Return what a payload says that is new, or confirmed."""
        kind, news = self._read(payload, receive_time)
        self.counts[kind] += 1
        for item in news:
            self.counts["prices" if isinstance(item, PriceUpdate) else "resolutions"] += 1
        return news

    def _read(self, payload: bytes, received: float) -> tuple[str, News]:
        try:
            body = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return "garbled", []
        if not isinstance(body, dict):
            return "unknown", []
        if "type" in body:
            return self._message(body, received)
        if "id" in body and "outcomeType" in body:
            return "markets", self._page(body, received)
        if found := self._probabilities(body):
            return "probabilities", [n for market, told in found for n in self._polled(market, told, received)]
        return "errors" if "message" in body or "error" in body else "unknown", []

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return all symbols that are known by now."""
        return tuple(symbol for market in self.markets.values() for symbol in market.symbols)

    # -- the socket ---------------------------------------------------------------------------------

    def _message(self, body: dict[str, Any], received: float) -> tuple[str, News]:
        if body["type"] == "ack":
            return "acks" if body.get("success") is True else "errors", []
        topic, data = text_of(body.get("topic")).split("/"), fields_of(body.get("data"))
        if body["type"] != "broadcast" or not data:
            return "unknown", []
        if topic[-1] == "new-bet":
            return "bets", self._bets(items_of(data.get("bets")), received)
        return self._update(topic[1] if len(topic) > 1 else "", data, received)

    def _update(self, market_id: str, data: dict[str, Any], received: float) -> tuple[str, News]:
        contract = fields_of(data.get("contract"))
        market = self.markets.get(text_of(contract.get("id")) or market_id)
        answers = items_of(data.get("answers")) + items_of([data.get("answer")])
        if market is None or not (contract or answers):
            return "unknown", []
        news = [n for answer in answers for n in self._answer(market, answer, received)]
        return "updates", news + self._contract(market, contract, received)

    def _bets(self, bets: list[dict[str, Any]], received: float) -> News:
        """Take the last price of every answer, oldest bet first; redemptions only tell the time."""
        last: dict[tuple[str, str], tuple[float, float]] = {}
        timed = [(seconds_of(bet.get("createdTime")) or 0.0, bet) for bet in bets]
        for made, bet in sorted(timed, key=itemgetter(0)):
            market = self.markets.get(text_of(bet.get("contractId")))
            if market is None:
                continue
            if not 0.0 < made < received + _AHEAD_SECONDS:
                self.counts["bad_times"] += 1
            elif bet.get("isRedemption") is True:
                market.last_bet = max(market.last_bet, made)
            elif (price := self._price(bet.get("probAfter"))) is not None:
                last[market.id, text_of(bet.get("answerId")) or WHOLE] = (price, made)
        news: News = []
        for (market_id, answer), (price, made) in last.items():
            market = self.markets[market_id]
            told = market.bet(answer, price, made, received)
            self.counts["old"] += answer in market.answers and not told
            news += told
        return news

    # -- whole markets and their parts --------------------------------------------------------------

    def _page(self, body: dict[str, Any], received: float) -> News:
        """Read a whole market: learn its symbols, then take its prices or its end."""
        market = self._market(text_of(body["id"]), text_of(body.get("slug")))
        if market is None:
            return []
        made = seconds_of(body.get("lastBetTime")) or seconds_of(body.get("createdTime")) or 0.0
        answers = items_of(body.get("answers"))
        for answer in sorted(answers, key=_age):
            market.learn_answer(text_of(answer.get("id")), text_of(answer.get("text")))
        if not answers and "probability" in body:
            market.learn_whole()
        news = self._contract(market, body, received)
        parts = [(text_of(answer.get("id")), answer) for answer in answers] or [(WHOLE, body)]
        for answer_id, part in parts if not market.resolved else ():
            if answer_id in market.answers and (price := self._price(part.get("probability"))) is not None:
                news += market.read(answer_id, price, made, received)
        return news

    def _market(self, market_id: str, slug: str) -> Market | None:
        if market_id and market_id not in self.markets:
            entries = [*self._entries.get(market_id, ()), *self._entries.get(slug, ())]
            if not self._entries:
                entries = [Entry(slug or market_id)]
            if entries:
                self.markets[market_id] = Market(market_id, entries)
        return self.markets.get(market_id)

    def _contract(self, market: Market, body: dict[str, Any], received: float) -> News:
        """Take what a market, whole or in part, says of its closing time, its price and its end."""
        market.close_time = seconds_of(body.get("closeTime")) or market.close_time
        news: News = []
        for answer in items_of(body.get("answers")):
            news += self._ended(market, text_of(answer.get("id")), own_outcome(answer), answer, received)
        if body.get("isResolved") is True:
            market.resolved = True
            return news + self._resolved(market, body, received)
        made = seconds_of(body.get("lastBetTime"))
        if "prob" in body and made and (price := self._price(body["prob"])) is not None:
            news += market.bet(WHOLE, price, made, received)
        return news

    def _answer(self, market: Market, answer: dict[str, Any], received: float) -> News:
        """Take what an answer, whole or in part, says of its price or its end."""
        answer_id = text_of(answer.get("id"))
        if "text" in answer:
            market.learn_answer(answer_id, text_of(answer["text"]))
        if outcome := own_outcome(answer):
            return self._ended(market, answer_id, outcome, answer, received)
        # While a market is being resolved its answers show what they pay: that is no price.
        if answer.get("resolutionTime") or "prob" not in answer or answer_id not in market.answers:
            return []
        price = self._price(answer["prob"])
        return [] if price is None else market.told(answer_id, price, received)

    def _resolved(self, market: Market, body: dict[str, Any], received: float) -> News:
        if market.answers == [WHOLE]:
            return self._ended(market, WHOLE, own_outcome(body), body, received)
        outcomes = chosen_outcomes(body, market.named)
        return [n for answer, end in outcomes.items() for n in self._ended(market, answer, end, body, received)]

    def _ended(
        self, market: Market, answer: str, outcome: Outcome | None, body: dict[str, Any], received: float
    ) -> News:
        if outcome is None:
            return []
        return market.end(answer, outcome, seconds_of(body.get("resolutionTime")) or received, received)

    # -- probabilities that were asked for ----------------------------------------------------------

    def _probabilities(self, body: dict[str, Any]) -> list[tuple[Market, dict[str, Any]]]:
        """Return, by market, the probabilities of its answers."""
        if "prob" in body and len(self.markets) == 1:
            return [(market, {WHOLE: body["prob"]}) for market in self.markets.values()]
        if answers := fields_of(body.get("answerProbs")):
            return [(market, answers) for market in self.markets.values() if set(market.answers) & set(answers)]
        told = [(self.markets.get(market_id), fields_of(part)) for market_id, part in body.items()]
        return [
            (market, fields_of(part.get("answerProbs")) or {WHOLE: part.get("prob")})
            for market, part in told
            if market is not None and part
        ]

    def _polled(self, market: Market, told: dict[str, Any], received: float) -> News:
        news: News = []
        for answer in market.answers:
            if market.resolved:
                # What is left then are answers whose part of the whole the market did not say.
                share = share_of(told.get(answer))
                outcome = None if share is None else shared(share)
                news += self._ended(market, answer, outcome, {}, received)
            elif answer in told and (price := self._price(told[answer])) is not None:
                news += market.polled(answer, price, received)
        return news

    def _price(self, value: object) -> float | None:
        price = probability_of(value)
        self.counts["bad_prices"] += price is None
        return price


def _age(answer: dict[str, Any]) -> tuple[float, float]:
    """Return a key that puts the answers in the order in which they were given."""
    return seconds_of(answer.get("createdTime")) or 0.0, number_of(answer.get("index")) or 0.0
