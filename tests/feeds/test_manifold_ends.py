"""How Manifold's markets end, by broadcast and by REST."""

from __future__ import annotations

from typing import Any

import pytest
from test_manifold_parser import RAIN, START, WHO, Venue, told

from arena.feeds.base import Resolution


@pytest.mark.parametrize(
    ("kind", "outcome", "fields", "price"),
    [
        ("BINARY", "YES", {}, 1.0),
        ("BINARY", "NO", {}, 0.0),
        ("BINARY", "MKT", {"resolutionProbability": 0.62}, 0.62),
        ("BINARY", "CANCEL", {}, None),
        ("PSEUDO_NUMERIC", "MKT", {"resolutionProbability": 0.25}, 0.25),
    ],
)
@pytest.mark.parametrize("way", ["broadcast", "page"])
def test_a_resolution_ends_the_symbol(
    way: str, kind: str, outcome: str, fields: dict[str, Any], price: float | None
) -> None:
    venue = Venue("some-question")
    venue.markets.list_binary("questionid", "some-question", 0.4, outcomeType=kind)
    assert told(venue.page("questionid")) == {"some-question": 0.4}
    venue.now += 10
    change = venue.markets.resolve("questionid", outcome, **fields)
    venue.now += 1
    news = venue.tell(change) if way == "broadcast" else venue.page("questionid")
    assert [(type(item), item.symbol, item.price) for item in news] == [(Resolution, "some-question", price)]
    assert (news[0].event_time, news[0].receive_time, news[0].feed) == (START + 10, START + 11, "manifold")
    assert news[0].detail.endswith(".")
    assert venue.page("questionid") == venue.tell(change) == venue.probabilities("questionid") == []
    assert venue.tell(venue.markets.bet("questionid", 0.5, moment=START + 12)) == []


@pytest.mark.parametrize("way", ["broadcast", "page"])
def test_the_chosen_answer_wins_and_the_others_lose(way: str) -> None:
    venue = Venue("who-wins")
    venue.page(WHO)
    change = venue.markets.resolve(WHO, "bbbbbbbbbb")
    news = venue.tell(change) if way == "broadcast" else venue.page(WHO)
    assert all(isinstance(item, Resolution) for item in news)
    assert told(news) == {"who-wins:ann-lee": 0.0, "who-wins:bo-the-2nd": 1.0, "who-wins:elodie": 0.0}


def test_a_configured_answer_loses_when_another_answer_wins() -> None:
    venue = Venue("who-wins:elodie")
    venue.page(WHO)
    venue.markets.resolve(WHO, "bbbbbbbbbb")
    assert told(venue.page(WHO)) == {"who-wins:elodie": 0.0}


@pytest.mark.parametrize("way", ["broadcast", "page and probabilities"])
def test_several_winners_share_by_their_weights(way: str) -> None:
    venue = Venue("who-wins")
    venue.page(WHO)
    change = venue.markets.resolve(WHO, "CHOOSE_MULTIPLE", resolutions={"aaaaaaaaaa": 75, "cccccccccc": 25})
    if way == "broadcast":
        news = venue.tell(change)
    else:
        # The page does not say who shares; the probabilities then do.
        assert venue.page(WHO) == []
        news = venue.probabilities(WHO)
    assert all(isinstance(item, Resolution) for item in news)
    assert told(news) == {"who-wins:ann-lee": 0.75, "who-wins:bo-the-2nd": 0.0, "who-wins:elodie": 0.25}
    assert venue.probabilities(WHO) == []


@pytest.mark.parametrize("way", ["broadcast", "page"])
def test_a_cancelled_choice_ends_every_answer_without_a_price(way: str) -> None:
    venue = Venue("who-wins")
    venue.page(WHO)
    change = venue.markets.resolve(WHO, "CANCEL")
    news = venue.tell(change) if way == "broadcast" else venue.page(WHO)
    assert set(told(news).values()) == {None}
    assert len(news) == 3


@pytest.mark.parametrize("way", ["broadcast", "page"])
def test_independent_answers_end_one_by_one(way: str) -> None:
    venue = Venue("who-wins")
    venue.page(WHO)
    for answer, symbol, outcome, price in (
        ("aaaaaaaaaa", "who-wins:ann-lee", "YES", 1.0),
        ("bbbbbbbbbb", "who-wins:bo-the-2nd", "MKT", 0.3),
        ("cccccccccc", "who-wins:elodie", "NO", 0.0),
    ):
        venue.now += 10
        change = venue.markets.resolve_answer(WHO, answer, outcome)
        news = venue.tell(change) if way == "broadcast" else venue.page(WHO)
        ends = [item for item in news if isinstance(item, Resolution)]
        assert told(ends) == {symbol: price}
    assert venue.tell(venue.markets.resolve(WHO, "MKT")) == []


def test_a_market_that_was_resolved_long_ago_has_an_end_and_no_price() -> None:
    venue = Venue("will-it-rain")
    venue.markets.resolve(RAIN, "YES")
    venue.now += 1e6
    assert [type(item) for item in venue.page(RAIN)] == [Resolution]
