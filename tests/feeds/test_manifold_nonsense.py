"""Whatever arrives, the Manifold parser counts it and goes on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from test_manifold_parser import RAIN, START, WHO, Venue

from arena.feeds.base import PriceUpdate, Resolution
from arena.feeds.manifold.parser import ManifoldParser


def test_payloads_about_other_markets_are_ignored() -> None:
    venue = Venue("who-wins")
    assert venue.page(RAIN) == venue.probabilities(RAIN) == venue.tell(venue.markets.bet(RAIN, 0.6)) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"type":"ack","txid":0,"success":true}', "acks"),
        ('{"type":"ack","success":false,"error":"Error parsing message."}', "errors"),
        ('{"message":"Contract not found"}', "errors"),
        ('{"type":"broadcast","topic":"contract/x/sports-live","data":{"score":1}}', "unknown"),
        ('{"type":"broadcast","topic":7,"data":[1]}', "unknown"),
        ('{"type":"greeting"}', "unknown"),
        ('{"type":["broadcast"]}', "unknown"),
        ("[]", "unknown"), ("7", "unknown"), ("null", "unknown"), ("{}", "unknown"),
        ('{"type":"bro', "garbled"), ("<html>", "garbled"), ("", "garbled"), ("[" * 100_000, "garbled"),
    ],
)  # fmt: skip
def test_every_other_payload_is_counted_by_its_kind(text: str, kind: str) -> None:
    parser = ManifoldParser(["will-it-rain"])
    assert parser.parse(text.encode(), START) == []
    assert parser.counts[kind] == 1


def test_with_any_value_replaced_nothing_is_raised_and_no_wrong_price_passed() -> None:
    venue = Venue("will-it-rain", "who-wins")
    proper = [venue.markets.answer(f"/v0/market/{name}", {})[1] for name in (RAIN, WHO)]
    proper += [venue.markets.answer("/v0/market-probs", {"ids": [RAIN, WHO]})[1], {"prob": 0.5}]
    changes = [*venue.markets.bet(RAIN, 0.6), *venue.markets.bet(WHO, 0.6, answer="aaaaaaaaaa")]
    changes += [*venue.markets.add_answer(WHO, "dddddddddd", "Dan", 0.1), *venue.markets.resolve(RAIN, "YES")]
    changes += venue.markets.resolve(WHO, "CHOOSE_MULTIPLE", resolutions={"aaaaaaaaaa": 75, "cccccccccc": 25})
    proper += [{"type": "broadcast", "topic": topic, "data": data} for topic, data in changes]
    chance = random.Random(1)
    junk = [None, True, -1, 1, 0, 1e300, 2**63, "", "x", [], [1], [[]], {}, {"id": 1}, "\x00"]
    for body in proper:
        for place in list(_places(body)):
            parser = ManifoldParser(["will-it-rain", "who-wins"])
            for good in proper[: chance.randrange(len(proper))]:
                parser.parse(orjson.dumps(good), START + 60)
            for wrong in junk:
                news = parser.parse(orjson.dumps(_replaced(body, place, wrong)), START + 60)
                prices = [item.price for item in news if isinstance(item, PriceUpdate)]
                assert all(0.0 < price < 1.0 for price in prices)
                ends = [item.price for item in news if isinstance(item, Resolution)]
                assert all(price is None or 0.0 <= price <= 1.0 for price in ends)


def _places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy: Any = orjson.loads(orjson.dumps(body))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy
