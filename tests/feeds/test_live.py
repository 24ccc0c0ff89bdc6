"""The live market: what a tick may see, and feeds that fail alone."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import threading
from collections import Counter

import pytest
from scenes import logged_by_feeds

from arena.errors import FeedError
from arena.feeds.base import FeedState, LiveFeed, Pace, PriceSink, PriceUpdate, Resolution
from arena.feeds.json_values import parse_price
from arena.feeds.live import LiveMarket, run_feeds

BTC, ETH = "BTCUSDT", "ETHUSDT"


def tell(market: LiveMarket, symbol: str, price: float, event: float, receive: float | None = None) -> None:
    market.on_price(PriceUpdate(symbol, price, event, event if receive is None else receive))


def test_a_tick_sees_the_last_price_at_or_before_its_time() -> None:
    market = LiveMarket()
    assert market.prices_at(10.0) == {}
    tell(market, ETH, 3.0, 9.0)
    tell(market, BTC, 1.0, 10.0)
    tell(market, BTC, 2.0, 10.5)
    assert market.prices_at(8.9) == {}
    assert market.prices_at(9.5) == {ETH: 3.0}
    assert market.prices_at(10.0) == {BTC: 1.0, ETH: 3.0}
    assert list(market.prices_at(99.0).items()) == [(BTC, 2.0), (ETH, 3.0)]


def test_a_venue_clock_that_runs_ahead_hides_nothing() -> None:
    market = LiveMarket()
    tell(market, BTC, 1.0, event=500.0, receive=10.0)
    assert market.prices_at(10.0) == {BTC: 1.0}
    assert market.prices_at(9.9) == {}


def test_an_older_price_that_arrives_late_does_not_become_the_last() -> None:
    market = LiveMarket()
    tell(market, BTC, 2.0, event=10.0, receive=10.1)
    tell(market, BTC, 1.0, event=9.0, receive=10.2)
    tell(market, BTC, 3.0, event=10.0, receive=10.3)
    assert market.prices_at(9.5) == {BTC: 1.0}
    assert market.prices_at(11.0) == {BTC: 3.0}
    last = market.last(BTC)
    assert last is not None
    assert last.receive_time == 10.3


@pytest.mark.parametrize(
    ("price", "event", "receive"),
    [
        (math.nan, 1.0, 1.0), (math.inf, 1.0, 1.0), (0.0, 1.0, 1.0), (-1.0, 1.0, 1.0),
        (1.0, math.nan, 1.0), (1.0, 1.0, math.nan), (1.0, -math.inf, 1.0), (1.0, 1.0, math.inf),
    ],
)  # fmt: skip
def test_an_invalid_price_is_only_counted(price: float, event: float, receive: float) -> None:
    market = LiveMarket()
    tell(market, BTC, price, event, receive)
    assert market.prices_at(1e12) == {}
    assert market.last(BTC) is None
    assert market.status()["refused_prices"] == 1


def test_the_history_is_bounded_and_keeps_what_its_window_needs() -> None:
    market = LiveMarket(history=10.0)
    for n in range(100_000):
        tell(market, BTC, 1.0 + n, event=n * 0.01)
    assert market.prices_at(995.005) == {BTC: 99_501.0}
    assert market.prices_at(989.99) == {BTC: 99_000.0}
    assert len(market._series[BTC].times) < 4000
    tell(market, BTC, 5.0, event=1e6)
    assert market.prices_at(1e6 - 1) == {BTC: 100_000.0}


def test_age_counts_from_the_last_update_of_a_symbol() -> None:
    market = LiveMarket()
    assert market.age(BTC, 100.0) == math.inf
    tell(market, BTC, 1.0, event=50.0, receive=90.0)
    assert market.age(BTC, 100.0) == 10.0
    assert market.age(BTC, 80.0) == 0.0


def test_status_is_plain_json_and_since_moves_with_the_state_only() -> None:
    now = 100.0
    market = LiveMarket(clock=lambda: now)
    market.on_state("binance", FeedState.CONNECTING, "Connecting.")
    tell(market, BTC, 1.0, event=98.0, receive=99.0)
    now = 105.0
    market.on_state("binance", FeedState.CONNECTING, "Still connecting.")
    assert json.loads(json.dumps(market.status())) == {
        "feeds": {"binance": {"state": "connecting", "detail": "Still connecting.", "since": 100.0, "counts": {}}},
        "symbols": {
            BTC: {
                "price": 1.0,
                "event_time": 98.0,
                "receive_time": 99.0,
                "feed": "",
                "age": 6.0,
                "limit": None,
                "state": "fresh",
            }
        },
        "resolved": {},
        "refused_prices": 0,
        "overridden_prices": 0,
    }
    condition = market.condition("binance")
    assert condition is not None
    assert condition.since == 100.0
    assert market.condition("alpaca") is None


def test_a_reader_in_another_thread_never_sees_the_future_or_a_half_written_market() -> None:
    market, wrong, done = LiveMarket(history=5.0), [], threading.Event()

    def read() -> None:
        while not done.is_set():
            last = market.last(BTC)
            if last is not None:
                seen = market.prices_at(last.event_time - 0.5)
                if seen.get(BTC, -1.0) > last.event_time - 0.5:
                    wrong.append(seen)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(1, 30_000):
        tell(market, BTC, n * 0.001, event=n * 0.001)
    done.set()
    reader.join(timeout=60)
    assert not reader.is_alive()
    assert wrong == []


class Steady:
    """The base of the feeds in this file."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the protocol's word
        return timeout > 0

    def pace(self, symbol: str, now: float) -> Pace:
        return Pace(10.0, open=now < 1_000.0 or symbol != BTC)


class Scripted(Steady):
    """A feed that does one thing and ends."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        super().__init__()
        self.name, self.symbols, self.error = name, (BTC,), error

    async def run(self, _sink: PriceSink) -> None:
        if self.error is not None:
            raise self.error


class Watched(LiveMarket):
    """A market that says when `count` feeds have failed, and when a price has come."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.all_failed, self.priced, self.left = asyncio.Event(), asyncio.Event(), count

    def on_state(self, feed: str, state: FeedState, detail: str) -> None:
        super().on_state(feed, state, detail)
        self.left -= 1
        if not self.left:
            self.all_failed.set()

    def on_price(self, update: PriceUpdate) -> None:
        super().on_price(update)
        self.priced.set()


class Patient(Steady):
    """A feed that goes on after the others have failed and then sends a price."""

    name, symbols = "patient", (BTC,)

    async def run(self, sink: PriceSink) -> None:
        assert isinstance(sink, Watched)
        await sink.all_failed.wait()
        tell(sink, BTC, 7.0, event=1.0)
        await asyncio.Event().wait()


def test_a_feed_that_fails_is_named_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    market = Watched(3)

    async def scene() -> None:
        feeds: list[LiveFeed] = [
            Scripted("final", FeedError("The key was refused.")),
            Scripted("broken", ZeroDivisionError("secret")),
            Scripted("over"),
            Patient(),
        ]
        task = asyncio.create_task(run_feeds(feeds, market))
        async with asyncio.timeout(60):
            await market.priced.wait()
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with caplog.at_level(logging.ERROR, logger="arena.feeds.live"):
        asyncio.run(scene())
    feeds = market.status()["feeds"]
    assert {feed["state"] for feed in feeds.values()} == {"failed"}
    assert feeds["final"]["detail"] == "The key was refused."
    assert "ZeroDivisionError" in feeds["broken"]["detail"]
    assert "secret" not in feeds["broken"]["detail"]
    assert feeds["over"]["detail"] == "The feed over ended by itself."
    assert len(logged_by_feeds(caplog.records)) == 3


def test_of_two_feeds_with_one_symbol_the_later_one_counts_and_a_warning_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    market = LiveMarket([Scripted("first"), Scripted("second")])
    assert logged_by_feeds(caplog.records) == [f"Both first and second have {BTC}: the price is second's"]
    market.on_price(PriceUpdate(BTC, 2.0, 1.0, 1.0, "second"))
    market.on_price(PriceUpdate(BTC, 1.0, 2.0, 2.0, "first"))
    assert market.prices_at(3.0) == {BTC: 2.0}
    assert market.status()["overridden_prices"] == 1
    assert market.status()["symbols"][BTC]["feed"] == "second"


def test_a_symbol_is_stale_after_some_of_its_feeds_own_intervals_and_closed_when_it_does_not_trade() -> None:
    market = LiveMarket([Scripted("venue")], stale_intervals=3.0)
    market.on_price(PriceUpdate(BTC, 1.0, 100.0, 100.0, "venue"))
    assert [market.freshness(now)[BTC].state for now in (130.0, 130.1, 1_000.0)] == ["fresh", "stale", "closed"]


def test_a_repeated_old_price_does_not_make_a_closed_market_fresh() -> None:
    market = LiveMarket([Scripted("venue")], stale_intervals=3.0)
    market.on_price(PriceUpdate(BTC, 1.0, 100.0, 2_000.0, "venue"))
    market.on_price(PriceUpdate(ETH, 1.0, 100.0, 2_000.0, "venue"))
    assert {name: each.state for name, each in market.freshness(2_000.0).items()} == {BTC: "closed", ETH: "fresh"}
    market.on_price(PriceUpdate(BTC, 1.0, 1_990.0, 2_000.0, "venue"))
    assert market.freshness(2_000.0)[BTC].state == "fresh"


def test_a_snapshot_is_as_old_as_its_event_time() -> None:
    market = LiveMarket([Scripted("venue")], stale_intervals=3.0)
    market.on_price(PriceUpdate(BTC, 1.0, 100.0, 131.0, "venue", is_snapshot=True))
    assert (market.freshness(131.0)[BTC].state, market.age(BTC, 131.0)) == ("stale", 31.0)
    market.on_price(PriceUpdate(BTC, 1.0, 100.0, 132.0, "venue"))
    assert market.freshness(132.0)[BTC].state == "fresh"
    market.on_price(PriceUpdate(BTC, 1.0, 100.0, 133.0, "venue", is_snapshot=True))
    assert market.age(BTC, 133.0) == 1.0


def test_a_symbol_that_has_ended_has_no_price_and_its_first_outcome_counts() -> None:
    market = LiveMarket()
    tell(market, BTC, 0.7, event=1.0)
    market.on_resolution(Resolution(BTC, 1.0, 5.0, 5.5, "YES"))
    market.on_resolution(Resolution(BTC, 0.0, 6.0, 6.5, "NO"))
    market.on_resolution(Resolution(ETH, math.nan, 6.0, 6.5))
    assert market.prices_at(4.9) == {BTC: 0.7}
    assert market.prices_at(5.0) == {}
    assert {name: end.price for name, end in market.resolutions_at(9.0).items()} == {BTC: 1.0}


def test_run_feeds_returns_when_all_have_ended() -> None:
    market = LiveMarket()
    asyncio.run(run_feeds([Scripted("over")], market))
    assert market.status()["feeds"]["over"]["state"] == "failed"


@pytest.mark.parametrize(
    ("value", "price"),
    [("1.5", 1.5), (2, 2.0), (2.5, 2.5), ("x", None), ("nan", None), (None, None), (True, None),
     ([], None), (0, None), ("-1", None), (10**400, None)],
)  # fmt: skip
def test_prices_of_any_spelling_become_floats_or_nothing(value: object, price: float | None) -> None:
    assert parse_price(value) == price
