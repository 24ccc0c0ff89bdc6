"""What the Manifold parser makes of REST bodies and broadcasts, recognised by their shape."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from arena.feeds.base import PriceUpdate
from arena.feeds.fakes.manifold_protocol import FakeManifoldMarkets, broadcast
from arena.feeds.manifold.market import MAX_SYMBOL, parse_entry
from arena.feeds.manifold.parser import ManifoldParser

RAIN, WHO = "EvIhzcJXwhL0HavaszD7", "ZNlNdzz690"
START = 1_700_000_000.0
ANSWERS = {"aaaaaaaaaa": ("Ann Lee", 0.5), "bbbbbbbbbb": ("Bo — the 2nd!", 0.3), "cccccccccc": ("Élodie", 0.2)}


class Venue:
    """The fake's markets with a clock set by hand, and a parser of everything they send."""

    def __init__(self, *markets: str) -> None:
        self.now = START
        self.markets = FakeManifoldMarkets(lambda: self.now)
        self.markets.list_binary(RAIN, "will-it-rain", 0.5)
        self.markets.list_choice(WHO, "who-wins", ANSWERS)
        self.parser = ManifoldParser(markets)

    def page(self, market_id: str) -> list[Any]:
        return self.hear(self.markets.answer(f"/v0/market/{market_id}", {})[1])

    def probabilities(self, *ids: str) -> list[Any]:
        return self.hear(self.markets.answer("/v0/market-probs", {"ids": ids})[1])

    def tell(self, news: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        return [item for topic, data in news for item in self.parser.parse(broadcast(topic, data).encode(), self.now)]

    def hear(self, body: Any) -> list[Any]:
        return list(self.parser.parse(orjson.dumps(body), self.now))


def told(news: list[Any]) -> dict[str, float]:
    return {item.symbol: item.price for item in news}


@pytest.mark.parametrize(
    ("text", "market", "answer"),
    [
        ("will-it-rain", "will-it-rain", ""),
        (" EvIhzcJXwhL0HavaszD7 ", "EvIhzcJXwhL0HavaszD7", ""),
        ("https://manifold.markets/Ann/will-it-rain", "will-it-rain", ""),
        ("https://manifold.markets/Ann/will-it-rain/?r=abc#comments", "will-it-rain", ""),
        ("manifold.markets/Ann/who-wins:ann-lee", "who-wins", "ann-lee"),
        ("who-wins:aaaaaaaaaa", "who-wins", "aaaaaaaaaa"),
    ],
)
def test_a_market_is_written_as_id_slug_or_page(text: str, market: str, answer: str) -> None:
    entry = parse_entry(text)
    assert (entry.market, entry.answer) == (market, answer)


def test_a_whole_market_gives_its_symbol_and_price() -> None:
    for configured in ("will-it-rain", RAIN):
        venue = Venue(configured)
        assert venue.page(RAIN) == [PriceUpdate(configured, 0.5, START, START, "manifold")]
        assert venue.parser.symbols == (configured,)


def test_a_replay_without_settings_calls_a_market_by_its_slug() -> None:
    venue = Venue()
    assert told(venue.page(RAIN)) == {"will-it-rain": 0.5}
    assert set(told(venue.page(WHO))) == {"who-wins:ann-lee", "who-wins:bo-the-2nd", "who-wins:elodie"}


def test_symbols_as_settings_give_the_same_symbols() -> None:
    first = Venue("who-wins", RAIN)
    first.page(WHO)
    first.page(RAIN)
    again = Venue(*first.parser.symbols)
    again.page(WHO)
    again.page(RAIN)
    assert again.parser.symbols == first.parser.symbols


@pytest.mark.parametrize("written", ["bo-the-2nd", "bbbbbbbbbb"])
def test_a_single_answer_is_picked_by_name_or_id_and_keeps_what_was_written(written: str) -> None:
    venue = Venue(f"who-wins:{written}")
    assert told(venue.page(WHO)) == {f"who-wins:{written}": 0.3}
    assert told(venue.tell(venue.markets.move(WHO, "bbbbbbbbbb", 0.35))) == {f"who-wins:{written}": 0.35}
    assert venue.tell(venue.markets.move(WHO, "aaaaaaaaaa", 0.45)) == []


def test_answers_with_equal_empty_or_late_names_get_distinct_symbols() -> None:
    venue = Venue("sums")
    venue.markets.list_choice(
        "sumssumssu", "sums", {"idididid01": ("< 5%", 0.3), "idididid02": ("> 5 %", 0.3), "idididid03": ("多い", 0.4)}
    )
    assert set(told(venue.page("sumssumssu"))) == {"sums:5", "sums:idididid02", "sums:idididid03"}
    news = venue.tell(venue.markets.add_answer("sumssumssu", "idididid04", "5!", 0.1))
    assert told(news) == {"sums:idididid04": 0.1}
    venue.now += 10
    assert told(venue.tell(venue.markets.bet("sumssumssu", 0.35, answer="idididid01"))) == {"sums:5": 0.35}


def test_no_symbol_is_longer_than_bots_may_write() -> None:
    slug = "a-slug-as-long-as-they-get-x12345"
    venue = Venue(slug, "x" * 60)
    venue.markets.list_choice(
        "longlonglo", slug, {"idididid01": ("word " * 48, 0.5), "idididid02": ("word " * 40, 0.5)}
    )
    venue.markets.list_choice("toolongtoo", "x" * 60, {"idididid03": ("Ann", 0.5)})
    symbols = list(told(venue.page("longlonglo")))
    assert symbols == [f"{slug}:word-word-word-word-word-word", f"{slug}:idididid02"]
    assert max(map(len, symbols)) <= MAX_SYMBOL
    assert venue.page("toolongtoo") == []


def test_a_bet_sets_the_price_at_the_venues_time() -> None:
    venue = Venue("will-it-rain")
    venue.page(RAIN)
    venue.now += 5
    news = venue.tell(venue.markets.bet(RAIN, 0.6, moment=START + 4.25))
    assert news == [PriceUpdate("will-it-rain", 0.6, START + 4.25, START + 5, "manifold")]
    assert venue.parser.counts["bets"] == 1


def test_of_several_bets_the_last_of_each_answer_counts_and_redemptions_do_not() -> None:
    venue = Venue("who-wins")
    venue.page(WHO)
    made = round(START * 1000) + 2000
    bets = [
        {"contractId": WHO, "answerId": "aaaaaaaaaa", "createdTime": made, "probAfter": 0.55},
        {"contractId": WHO, "answerId": "bbbbbbbbbb", "createdTime": made, "probAfter": 0.25},
        {"contractId": WHO, "answerId": "aaaaaaaaaa", "createdTime": made, "probAfter": 0.6},
        {"contractId": WHO, "answerId": "aaaaaaaaaa", "createdTime": made, "probAfter": 0.4, "isRedemption": True},
        {"contractId": "another", "createdTime": made, "probAfter": 0.9},
    ]
    for topic in (f"contract/{WHO}/new-bet", "global/new-bet"):
        news = venue.tell([(topic, {"bets": bets})])
        expected = {"who-wins:ann-lee": 0.6, "who-wins:bo-the-2nd": 0.25} if topic.startswith("contract") else {}
        assert told(news) == expected


def test_repeated_and_older_bets_change_nothing() -> None:
    venue = Venue("will-it-rain")
    venue.page(RAIN)
    venue.now += 9
    older = venue.markets.bet(RAIN, 0.6, moment=START + 1)
    newer = venue.markets.bet(RAIN, 0.7, moment=START + 2)
    assert told(venue.tell(newer)) == {"will-it-rain": 0.7}
    assert venue.tell([*older, *newer, *older]) == []
    assert venue.parser.counts["old"] == 3


def test_answers_moved_by_a_bet_on_another_arrive_too() -> None:
    venue = Venue("who-wins")
    venue.page(WHO)
    venue.now += 1
    assert venue.tell(venue.markets.move(WHO, "cccccccccc", 0.15)) == [
        PriceUpdate("who-wins:elodie", 0.15, START + 1, START + 1, "manifold")
    ]


def test_an_unchanged_probability_is_confirmed_at_the_time_of_the_price_itself() -> None:
    venue = Venue("will-it-rain")
    venue.page(RAIN)
    venue.now += 60
    assert venue.probabilities(RAIN) == [PriceUpdate("will-it-rain", 0.5, START, START + 60, "manifold")]
    venue.now += 60
    assert venue.hear({"prob": 0.5}) == [PriceUpdate("will-it-rain", 0.5, START, START + 120, "manifold")]


def test_a_different_polled_probability_is_a_new_price() -> None:
    venue = Venue("will-it-rain", "who-wins")
    venue.page(RAIN)
    venue.page(WHO)
    venue.markets.bet(RAIN, 0.6)
    venue.markets.move(WHO, "aaaaaaaaaa", 0.4)
    venue.now += 60
    news = venue.probabilities(RAIN, WHO)
    assert told(news)["will-it-rain"] == 0.6
    assert told(news)["who-wins:ann-lee"] == 0.4
    assert {item.event_time for item in news if item.price in {0.6, 0.4}} == {venue.now}
    # A bet that was on its way meanwhile is the newer one, though our clock may say otherwise.
    bet = venue.tell(venue.markets.bet(RAIN, 0.65, moment=START + 59.9))
    assert bet == [PriceUpdate("will-it-rain", 0.65, START + 60, START + 60, "manifold")]


def test_a_poll_does_not_override_a_newer_broadcast() -> None:
    venue = Venue("will-it-rain")
    venue.page(RAIN)
    outdated = venue.markets.answer("/v0/market-probs", {"ids": [RAIN]})[1]
    page = venue.markets.answer(f"/v0/market/{RAIN}", {})[1]
    venue.now += 60
    venue.tell(venue.markets.bet(RAIN, 0.6))
    venue.now += 0.1
    assert venue.hear(outdated) == []
    assert venue.hear(page) == []
    assert told(venue.probabilities(RAIN)) == {"will-it-rain": 0.6}
    venue.now += 60
    assert venue.hear(page) == []


@pytest.mark.parametrize("wrong", [0, 1, 0.0, 1.0, -0.1, 1.1, None, "0.5", True, [], {}])
def test_an_invalid_probability_is_no_price(wrong: Any) -> None:
    venue = Venue("will-it-rain")
    venue.page(RAIN)
    venue.now += 60
    made = round(venue.now * 1000)
    bet = {"contractId": RAIN, "createdTime": made, "probAfter": wrong}
    assert venue.tell([(f"contract/{RAIN}/new-bet", {"bets": [bet]})]) == []
    assert venue.tell([(f"contract/{RAIN}", {"contract": {"id": RAIN, "prob": wrong, "lastBetTime": made}})]) == []
    assert venue.hear({RAIN: {"prob": wrong}}) == []
    assert venue.hear({"prob": wrong}) == []


@pytest.mark.parametrize("made", [0, -1, None, "1700000001000", True, 1_700_000_001_000_000, 9e15, 1e300])
def test_a_bet_at_an_impossible_time_does_not_make_the_others_look_old(made: Any) -> None:
    venue = Venue("will-it-rain")
    venue.page(RAIN)
    venue.now += 60
    bet = {"contractId": RAIN, "createdTime": made, "probAfter": 0.9}
    assert venue.tell([(f"contract/{RAIN}/new-bet", {"bets": [bet]})]) == []
    assert told(venue.tell(venue.markets.bet(RAIN, 0.6))) == {"will-it-rain": 0.6}


def test_after_closing_time_no_price_is_confirmed() -> None:
    venue = Venue("will-it-rain")
    venue.page(RAIN)
    venue.tell(venue.markets.change(RAIN, closeTime=round(START * 1000) + 30_000))
    venue.now += 29
    assert venue.probabilities(RAIN)
    venue.now += 2
    assert venue.probabilities(RAIN) == venue.page(RAIN) == []
    venue.tell(venue.markets.change(RAIN, closeTime=round(START * 1000) + 90_000))
    assert told(venue.probabilities(RAIN)) == {"will-it-rain": 0.5}
