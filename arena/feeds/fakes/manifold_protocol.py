"""The protocol of the fake Manifold without sockets: acknowledgements, REST responses and broadcasts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MAX_IDS = 100

_Broadcasts = list[tuple[str, dict[str, Any]]]
_KEPT = ("id", "slug", "question", "createdTime", "closeTime", "outcomeType", "mechanism", "isResolved")
_ONCE_SET = ("resolution", "resolutionTime", "resolutionProbability", "lastBetTime", "lastUpdatedTime")


class FakeManifoldSession:
    """The topics of one connection, how often it pinged, and when it pinged last."""

    def __init__(self, now: float) -> None:
        self.topics: dict[str, None] = {}
        self.pings = 0
        self.last_ping = now

    def wants(self, topic: str) -> bool:
        """Return whether a broadcast goes to this connection."""
        return topic in self.topics

    def reply(self, text: str | bytes, now: float) -> str:
        """Return the acknowledgement of one message."""
        try:
            message = json.loads(text)
        except ValueError:
            return _refusal("Message was not valid UTF-8 encoded JSON.")
        if not _is_valid(message):
            return _refusal("Error parsing message.")
        self._apply(message, now)
        return json.dumps({"type": "ack", "txid": message["txid"], "success": True})

    def _apply(self, message: dict[str, Any], now: float) -> None:
        if message["type"] == "ping":
            self.pings += 1
            self.last_ping = now
        elif message["type"] == "subscribe":
            self.topics.update(dict.fromkeys(message["topics"]))
        elif message["type"] == "unsubscribe":
            for topic in message["topics"]:
                self.topics.pop(topic, None)


def broadcast(topic: str, data: dict[str, Any]) -> str:
    """Return the text of a broadcast."""
    return json.dumps({"type": "broadcast", "topic": topic, "data": data}, separators=(",", ":"))


def _is_valid(message: Any) -> bool:
    if not isinstance(message, dict) or type(message.get("txid")) not in {int, float}:
        return False
    kind, topics = message.get("type"), message.get("topics")
    if kind in {"subscribe", "unsubscribe"}:
        return isinstance(topics, list) and all(isinstance(topic, str) for topic in topics)
    return kind == "ping" or (kind == "identify" and isinstance(message.get("uid"), str))


def _refusal(error: str) -> str:
    return json.dumps({"type": "ack", "success": False, "error": error})


class FakeManifoldMarkets:
    """Yes/no and multiple-choice markets; a change returns its broadcasts, as topics and data.

    Times are in milliseconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._markets: dict[str, dict[str, Any]] = {}
        self._bets = 0

    def list_binary(self, market_id: str, slug: str, prob: float, **fields: Any) -> None:
        """List a yes/no market; `fields` replace or add fields, such as outcomeType or closeTime."""
        self._list(market_id, slug, {"outcomeType": "BINARY", "mechanism": "cpmm-1", "prob": prob, **fields})

    def list_choice(self, market_id: str, slug: str, answers: Mapping[str, tuple[str, float]], **fields: Any) -> None:
        """List a multiple-choice market with its answers: text and probability by id."""
        listed = [
            {"id": key, "contractId": market_id, "text": text, "prob": prob, "index": n, "createdTime": self.now() + n}
            for n, (key, (text, prob)) in enumerate(answers.items())
        ]
        kind = {"outcomeType": "MULTIPLE_CHOICE", "mechanism": "cpmm-multi-1", "shouldAnswersSumToOne": True}
        self._list(market_id, slug, {**kind, "answers": listed, **fields})

    def change(self, market_id: str, **fields: Any) -> _Broadcasts:
        """Change fields of a market, as its creator may."""
        self._markets[market_id].update(fields)
        return [_contract(market_id, fields)]

    def bet(self, market_id: str, prob: float, *, answer: str = "", moment: float | None = None) -> _Broadcasts:
        """Move a probability by a bet, which comes with a redemption as at the venue."""
        made = self.now() if moment is None else round(moment * 1000)
        market = self._markets[market_id]
        part = self._part(market_id, answer)
        bets = [
            self._bet(market_id, made, part["prob"], prob, {"answerId": answer} if answer else {}),
            {
                **self._bet(market_id, made, prob, 1.0 - prob, {"answerId": answer} if answer else {}),
                "isRedemption": True,
            },
        ]
        part["prob"] = prob
        market["lastBetTime"] = max(made, market.get("lastBetTime", 0))
        changed = {"lastBetTime": made} if answer else {"lastBetTime": made, "prob": prob}
        news = [(f"contract/{market_id}/new-bet", {"bets": bets}), _contract(market_id, changed)]
        return [*news, _answers(market_id, [{"id": answer, "prob": prob}])] if answer else news

    def move(self, market_id: str, answer: str, prob: float) -> _Broadcasts:
        """Move an answer because of a bet on another one; it gets no bet of its own."""
        self._part(market_id, answer)["prob"] = prob
        return [_answers(market_id, [{"id": answer, "prob": prob}])]

    def add_answer(self, market_id: str, key: str, text: str, prob: float) -> _Broadcasts:
        """Add an answer to a multiple-choice market."""
        listed = self._markets[market_id]["answers"]
        made = self.now() + len(listed)
        added = {
            "id": key,
            "contractId": market_id,
            "text": text,
            "prob": prob,
            "index": len(listed),
            "createdTime": made,
        }
        listed.append(added)
        return [(f"contract/{market_id}/new-answer", {"answer": dict(added)})]

    def resolve(self, market_id: str, outcome: str, **fields: Any) -> _Broadcasts:
        """Resolve a whole market: YES, NO, MKT, CANCEL, an answer's id or CHOOSE_MULTIPLE."""
        market, now = self._markets[market_id], self.now()
        ended = {"isResolved": True, "resolution": outcome, "resolutionTime": now, **fields}
        ended["closeTime"] = min(market.get("closeTime", now), now)
        if "answers" not in market:
            before = market["prob"]
            market["prob"] = {"YES": 1.0, "NO": 0.0}.get(outcome, before)
            ended = {"resolutionProbability": before, **ended, "prob": market["prob"]}
            market.update(ended)
            return [_contract(market_id, ended)]
        if outcome in {part["id"] for part in market["answers"]}:
            ended["resolutions"] = {outcome: 100}
        paid = ended.get("resolutions")
        for part in market["answers"]:
            part["resolutionTime"] = now
            part["prob"] = paid.get(part["id"], 0) / 100 if paid else part["prob"]
        market.update(ended)
        changed = [{key: part[key] for key in ("id", "prob", "resolutionTime")} for part in market["answers"]]
        return [_answers(market_id, changed), _contract(market_id, ended)]

    def resolve_answer(self, market_id: str, answer: str, outcome: str, **fields: Any) -> _Broadcasts:
        """Resolve one answer of a market whose answers are independent of each other."""
        part = self._part(market_id, answer)
        ended = {"resolution": outcome, "resolutionTime": self.now(), "resolutionProbability": part["prob"], **fields}
        ended["prob"] = {"YES": 1.0, "NO": 0.0}.get(outcome, part["prob"])
        part.update(ended)
        listed = [dict(each) for each in self._markets[market_id]["answers"]]
        return [_answers(market_id, [{"id": answer, **ended}]), _contract(market_id, {"answers": listed})]

    def answer(self, path: str, query: Mapping[str, Sequence[str]]) -> tuple[int, Any]:
        """Return status and body for a GET below /v0."""
        name, _, rest = path.removeprefix("/v0/").partition("/")
        if name == "market-probs":
            return self._probabilities(query.get("ids", []))
        key, _, part = rest.partition("/")
        found = self._markets.get(key) if name == "market" else self._by_slug(key) if name == "slug" else None
        if found is None:
            return 404, {"message": "Contract not found"}
        return 200, _probability(found) if part == "prob" else _page(found)

    def now(self) -> int:
        """Return the venue's time."""
        return round(self._clock() * 1000)

    def _probabilities(self, ids: Sequence[str]) -> tuple[int, Any]:
        if not 0 < len(ids) <= MAX_IDS:
            return 400, {"message": "Error validating request."}
        return 200, {key: _probability(self._markets[key]) for key in ids if key in self._markets}

    def _list(self, market_id: str, slug: str, fields: dict[str, Any]) -> None:
        usual = {"question": f"{slug}?", "createdTime": self.now(), "closeTime": 2 * self.now(), "isResolved": False}
        self._markets[market_id] = {"id": market_id, "slug": slug, **usual, **fields}

    def _by_slug(self, slug: str) -> dict[str, Any] | None:
        return next((market for market in self._markets.values() if market["slug"] == slug), None)

    def _part(self, market_id: str, answer: str) -> dict[str, Any]:
        market = self._markets[market_id]
        return next(part for part in market["answers"] if part["id"] == answer) if answer else market

    def _bet(self, market_id: str, made: int, before: float, after: float, more: dict[str, Any]) -> dict[str, Any]:
        self._bets += 1
        return {
            "id": f"bet{self._bets}", "contractId": market_id, "userId": "u1", "createdTime": made, "outcome": "YES",
            "amount": 10, "shares": 17.35, "probBefore": before, "probAfter": after, "isRedemption": False,
            "isFilled": True, "visibility": "public", **more,
        }  # fmt: skip


def _contract(market_id: str, fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return f"contract/{market_id}", {"contract": {"id": market_id, **fields}}


def _answers(market_id: str, answers: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return f"contract/{market_id}/updated-answers", {"answers": answers}


def _probability(market: dict[str, Any]) -> dict[str, Any]:
    if "answers" in market:
        return {"answerProbs": {part["id"]: part["prob"] for part in market["answers"]}}
    return {"prob": market["prob"]}


def _page(market: dict[str, Any]) -> dict[str, Any]:
    """Return a market's REST page, which does not name the winners where there are several."""
    page = {key: market[key] for key in _KEPT} | {key: market[key] for key in _ONCE_SET if key in market}
    page["url"] = f"https://manifold.markets/Ann/{market['slug']}"
    if "answers" in market:
        page["answers"] = [_full(part) for part in market["answers"]]
    elif market["outcomeType"] in {"BINARY", "PSEUDO_NUMERIC"}:
        page["probability"] = market["prob"]
    return page


def _full(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "prob"} | {"probability": answer["prob"]}
