"""Parses Manifold's REST responses and broadcasts, live and from recordings.

Payloads are recognised by their shape. A market's REST page names its answers and so comes first, live and in a
recording; payloads about a market whose page has not been parsed are ignored.

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
from arena.feeds.json_values import parse_number, parse_object, parse_objects, parse_text
from arena.feeds.manifold.market import (
    YES_NO,
    ManifoldMarket,
    MarketEntry,
    MarketNews,
    Outcome,
    chosen_outcomes,
    own_outcome,
    parse_entry,
    parse_milliseconds,
    parse_probability,
    parse_share,
    partial_outcome,
)

# A bet further ahead than this has a wrong time: it would make all later bets look old.
_AHEAD_SECONDS = 86_400.0


class ManifoldParser:
    """Parses payloads into prices and resolutions of the configured markets, or of every market where none are given.

    The symbol of a market that was not configured is its slug. `counts` counts payloads by kind (markets,
    probabilities, bets, updates, acks, errors, unknown, garbled), prices and resolutions, old bets,
    bad_prices and bad_times.
    """

    def __init__(self, markets: Iterable[str | MarketEntry] = ()) -> None:
        self.counts: Counter[str] = Counter()
        self.markets: dict[str, ManifoldMarket] = {}
        self._entries: dict[str, list[MarketEntry]] = {}
        for entry in markets:
            found = parse_entry(entry) if isinstance(entry, str) else entry
            self._entries.setdefault(found.market, []).append(found)

    def parse(self, payload: bytes, receive_time: float) -> MarketNews:
        """Return the new or confirmed prices and the resolutions in a payload."""
        kind, news = self._parse(payload, receive_time)
        self.counts[kind] += 1
        for item in news:
            self.counts["prices" if isinstance(item, PriceUpdate) else "resolutions"] += 1
        return news

    def _parse(self, payload: bytes, received: float) -> tuple[str, MarketNews]:
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
        """Return the symbols of all markets whose page has been parsed."""
        return tuple(symbol for market in self.markets.values() for symbol in market.symbols)

    # -- broadcasts ---------------------------------------------------------------------------------

    def _message(self, body: dict[str, Any], received: float) -> tuple[str, MarketNews]:
        if body["type"] == "ack":
            return "acks" if body.get("success") is True else "errors", []
        topic, data = parse_text(body.get("topic")).split("/"), parse_object(body.get("data"))
        if body["type"] != "broadcast" or not data:
            return "unknown", []
        if topic[-1] == "new-bet":
            return "bets", self._bets(parse_objects(data.get("bets")), received)
        return self._update(topic[1] if len(topic) > 1 else "", data, received)

    def _update(self, market_id: str, data: dict[str, Any], received: float) -> tuple[str, MarketNews]:
        contract = parse_object(data.get("contract"))
        market = self.markets.get(parse_text(contract.get("id")) or market_id)
        answers = parse_objects(data.get("answers")) + parse_objects([data.get("answer")])
        if market is None or not (contract or answers):
            return "unknown", []
        news = [n for answer in answers for n in self._answer(market, answer, received)]
        return "updates", news + self._contract(market, contract, received)

    def _bets(self, bets: list[dict[str, Any]], received: float) -> MarketNews:
        """Take the last price of every answer; a redemption counts for the time only."""
        last: dict[tuple[str, str], tuple[float, float]] = {}
        timed = [(parse_milliseconds(bet.get("createdTime")) or 0.0, bet) for bet in bets]
        for made, bet in sorted(timed, key=itemgetter(0)):
            market = self.markets.get(parse_text(bet.get("contractId")))
            if market is None:
                continue
            if not 0.0 < made < received + _AHEAD_SECONDS:
                self.counts["bad_times"] += 1
            elif bet.get("isRedemption") is True:
                market.last_bet = max(market.last_bet, made)
            elif (price := self._price(bet.get("probAfter"))) is not None:
                last[market.id, parse_text(bet.get("answerId")) or YES_NO] = (price, made)
        news: MarketNews = []
        for (market_id, answer), (price, made) in last.items():
            market = self.markets[market_id]
            news_of_bet = market.apply_bet(answer, price, made, received)
            self.counts["old"] += answer in market.answers and not news_of_bet
            news += news_of_bet
        return news

    # -- REST pages, and the parts of them that are broadcast ---------------------------------------

    def _page(self, body: dict[str, Any], received: float) -> MarketNews:
        """Parse a market's page: learn its symbols, then take its prices or its resolution."""
        market = self._market(parse_text(body["id"]), parse_text(body.get("slug")))
        if market is None:
            return []
        made = parse_milliseconds(body.get("lastBetTime")) or parse_milliseconds(body.get("createdTime")) or 0.0
        answers = parse_objects(body.get("answers"))
        for answer in sorted(answers, key=_creation_order):
            market.learn_answer(parse_text(answer.get("id")), parse_text(answer.get("text")))
        if not answers and "probability" in body:
            market.learn_yes_no()
        news = self._contract(market, body, received)
        parts = [(parse_text(answer.get("id")), answer) for answer in answers] or [(YES_NO, body)]
        for answer_id, part in parts if not market.resolved else ():
            if answer_id in market.answers and (price := self._price(part.get("probability"))) is not None:
                news += market.apply_page(answer_id, price, made, received)
        return news

    def _market(self, market_id: str, slug: str) -> ManifoldMarket | None:
        if market_id and market_id not in self.markets:
            entries = [*self._entries.get(market_id, ()), *self._entries.get(slug, ())]
            if not self._entries:
                entries = [MarketEntry(slug or market_id)]
            if entries:
                self.markets[market_id] = ManifoldMarket(market_id, entries)
        return self.markets.get(market_id)

    def _contract(self, market: ManifoldMarket, body: dict[str, Any], received: float) -> MarketNews:
        """Take the closing time, price and resolution in a whole or partial market."""
        market.close_time = parse_milliseconds(body.get("closeTime")) or market.close_time
        news: MarketNews = []
        for answer in parse_objects(body.get("answers")):
            news += self._resolve(market, parse_text(answer.get("id")), own_outcome(answer), answer, received)
        if body.get("isResolved") is True:
            market.resolved = True
            return news + self._resolved(market, body, received)
        made = parse_milliseconds(body.get("lastBetTime"))
        if "prob" in body and made and (price := self._price(body["prob"])) is not None:
            news += market.apply_bet(YES_NO, price, made, received)
        return news

    def _answer(self, market: ManifoldMarket, answer: dict[str, Any], received: float) -> MarketNews:
        """Take the price or resolution in a whole or partial answer."""
        answer_id = parse_text(answer.get("id"))
        if "text" in answer:
            market.learn_answer(answer_id, parse_text(answer["text"]))
        if outcome := own_outcome(answer):
            return self._resolve(market, answer_id, outcome, answer, received)
        # While a market is being resolved, its answers show what they pay, which is not a price.
        if answer.get("resolutionTime") or "prob" not in answer or answer_id not in market.answers:
            return []
        price = self._price(answer["prob"])
        return [] if price is None else market.apply_broadcast(answer_id, price, received)

    def _resolved(self, market: ManifoldMarket, body: dict[str, Any], received: float) -> MarketNews:
        if market.answers == [YES_NO]:
            return self._resolve(market, YES_NO, own_outcome(body), body, received)
        outcomes = chosen_outcomes(body, market.known_answers)
        return [n for answer, end in outcomes.items() for n in self._resolve(market, answer, end, body, received)]

    def _resolve(
        self, market: ManifoldMarket, answer: str, outcome: Outcome | None, body: dict[str, Any], received: float
    ) -> MarketNews:
        if outcome is None:
            return []
        return market.resolve(answer, outcome, parse_milliseconds(body.get("resolutionTime")) or received, received)

    # -- polled probabilities -----------------------------------------------------------------------

    def _probabilities(self, body: dict[str, Any]) -> list[tuple[ManifoldMarket, dict[str, Any]]]:
        """Return, by market, the probabilities of its answers."""
        if "prob" in body and len(self.markets) == 1:
            return [(market, {YES_NO: body["prob"]}) for market in self.markets.values()]
        if answers := parse_object(body.get("answerProbs")):
            return [(market, answers) for market in self.markets.values() if set(market.answers) & set(answers)]
        told = [(self.markets.get(market_id), parse_object(part)) for market_id, part in body.items()]
        return [
            (market, parse_object(part.get("answerProbs")) or {YES_NO: part.get("prob")})
            for market, part in told
            if market is not None and part
        ]

    def _polled(self, market: ManifoldMarket, told: dict[str, Any], received: float) -> MarketNews:
        news: MarketNews = []
        for answer in market.answers:
            if market.resolved:
                # The remaining answers are those whose share the resolved market did not say.
                share = parse_share(told.get(answer))
                outcome = None if share is None else partial_outcome(share)
                news += self._resolve(market, answer, outcome, {}, received)
            elif answer in told and (price := self._price(told[answer])) is not None:
                news += market.apply_poll(answer, price, received)
        return news

    def _price(self, value: object) -> float | None:
        price = parse_probability(value)
        self.counts["bad_prices"] += price is None
        return price


def _creation_order(answer: dict[str, Any]) -> tuple[float, float]:
    """Return the sort key by which older answers come first."""
    return parse_milliseconds(answer.get("createdTime")) or 0.0, parse_number(answer.get("index")) or 0.0
