"""What a live market tells the engine beside its prices: stale, closed, halted, after a gap, ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from arena.engine.live.sources import LiveSource
from arena.engine.state import MarketState
from arena.feeds.base import Pace, PriceSink, PriceUpdate, Resolution
from arena.feeds.live import LiveMarket
from tests.arenas import bot_source
from tests.engine.conftest import SYMBOLS, Hand

BTC, ETH = SYMBOLS
START = 1_700_000_000.0


class Venue:
    """A feed whose prices a test states; it trades around the clock until it is closed."""

    def __init__(self, name: str = "venue", interval: float = 10.0) -> None:
        self.name, self.symbols, self.interval = name, SYMBOLS, interval
        self.counts: Counter[str] = Counter()
        self.open, self.halted = True, ""

    async def run(self, sink: PriceSink) -> None:
        del sink

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the protocol's word
        return timeout > 0

    def pace(self, symbol: str, now: float) -> Pace:
        del symbol, now
        return Pace(self.interval, self.open, self.halted)


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def market(venue: Venue) -> LiveMarket:
    return LiveMarket([venue], stale_intervals=3.0)


def tell(market: LiveMarket, symbol: str, price: float, at: float) -> None:
    market.on_price(PriceUpdate(symbol, price, at, at, "venue"))


def test_a_mute_symbol_is_barred_with_the_reason_and_another_goes_on(venue: Venue, market: LiveMarket) -> None:
    source = LiveSource(market, SYMBOLS, 10.0)
    tell(market, BTC, 100.0, START)
    tell(market, ETH, 10.0, START + 35.0)
    barred = source.conditions(START + 40.0, MarketState()).barred
    assert barred == {BTC: f"Price of {BTC} is stale (nothing heard for 40 s)"}
    venue.open = False
    assert "its market is closed" in source.conditions(START + 40.0, MarketState()).barred[BTC]
    venue.interval = 60.0
    assert not source.conditions(START + 40.0, MarketState())


def test_orders_on_a_halted_symbol_are_rejected_with_its_reason_and_filled_after_it(
    deal: Callable[..., Hand], venue: Venue, market: LiveMarket
) -> None:
    hand = deal(LiveSource(market, SYMBOLS, 10.0))
    tell(market, BTC, 100.0, START)
    seat = hand.admit(bot_source(f'ctx.submit_order("{BTC}", "BUY", 1.0)'))
    hand.tick(1)
    venue.halted = "News Pending"
    hand.tick(1)
    assert seat.account.sizes() == {}
    assert market.freshness(START)[BTC].state == "halted"
    assert hand.rows("SELECT reason FROM orders WHERE status = 'rejected'") == [
        (f"Trading of {BTC} is halted (News Pending)",)
    ]
    venue.halted = ""
    hand.tick(1)
    assert seat.account.sizes() == {BTC: 1.0}


def test_orders_that_waited_across_a_gap_are_barred_once(market: LiveMarket) -> None:
    source = LiveSource(market, SYMBOLS, 10.0)
    tell(market, BTC, 100.0, START + 500.0)
    before = MarketState(n=3, time=START)
    assert source.conditions(START + 510.0, before).barred == {BTC: f"Order on {BTC} waited across a gap of 500 s"}
    after = MarketState(n=4, time=START + 510.0)
    assert not source.conditions(START + 520.0, after)
    # An interval longer than the limit is no gap.
    assert not LiveSource(market, SYMBOLS, 600.0).conditions(START + 510.0, before).barred


def test_with_a_delay_a_gap_bars_every_order_of_before_it_and_none_of_after(market: LiveMarket) -> None:
    source = LiveSource(market, SYMBOLS, 10.0, 3)
    barred = []
    for n, time in ((4, START + 500.0), (5, START + 510.0), (6, START + 520.0), (7, START + 530.0)):
        tell(market, BTC, 100.0, time)
        before = START if n == 4 else time - 10.0
        barred.append(source.conditions(time, MarketState(n=n - 1, time=before)).barred.get(BTC))
    # Orders of ticks 1 to 3 are due at ticks 4 to 6.
    assert barred == [f"Order on {BTC} waited across a gap of 490 s"] * 3 + [None]


def test_an_end_is_told_until_the_engine_has_settled_it(market: LiveMarket) -> None:
    source = LiveSource(market, SYMBOLS, 10.0)
    tell(market, BTC, 0.5, START)
    market.on_resolution(Resolution(BTC, 1.0, START + 5.0, START + 5.0, "It resolved YES.", "venue"))
    assert not source.conditions(START + 4.0, MarketState())
    conditions = source.conditions(START + 5.0, MarketState())
    assert (conditions.ended, conditions.barred) == ({BTC: 1.0}, {BTC: f"Market {BTC} has ended. It resolved YES."})
    assert not source.conditions(START + 6.0, MarketState(ended={BTC: 1.0}))


def test_after_a_stop_longer_than_the_limit_waiting_orders_are_rejected_and_the_gap_is_recorded(
    deal: Callable[..., Hand], market: LiveMarket
) -> None:
    hand = deal(LiveSource(market, SYMBOLS, 10.0))
    tell(market, BTC, 100.0, START)
    seat = hand.admit(bot_source(f'ctx.submit_order("{BTC}", "BUY", 1.0)'))
    hand.tick(2)
    assert seat.account.sizes() == {BTC: 1.0}
    hand.restart()
    seat = hand.engine.roster.get(seat.id)
    assert [waiting.order.size for waiting in seat.pending] == [1.0]
    tell(market, BTC, 90.0, START + 3_600.0)
    hand.engine.on_tick(2, START + 3_600.0)
    assert seat.account.sizes() == {BTC: 1.0}
    rejected = hand.rows("SELECT tick, reason FROM orders WHERE status = 'rejected'")
    assert rejected == [(1, f"Order on {BTC} waited across a gap of 3580 s")]
    tell(market, BTC, 91.0, START + 3_610.0)
    hand.engine.on_tick(3, START + 3_610.0)
    assert seat.account.sizes() == {BTC: 2.0}


@pytest.mark.system
def test_a_feed_that_stalls_for_an_hour_stops_no_clock_and_fills_nothing(
    deal: Callable[..., Hand], market: LiveMarket
) -> None:
    hand = deal(LiveSource(market, SYMBOLS, 10.0))
    tell(market, BTC, 100.0, START)
    seat = hand.admit(bot_source(f'ctx.submit_order("{BTC}", "BUY", 0.01)'))
    hand.tick(360)
    assert hand.engine.market.n == 359
    assert seat.account.sizes() == {BTC: pytest.approx(0.03)}
    assert seat.errors_in_a_row == 0
    stale = hand.rows("SELECT count(*) FROM orders WHERE reason LIKE '%is stale%'")
    assert stale == [(356,)]
