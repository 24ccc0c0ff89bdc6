"""Lost, silent, ageing and refused connections of the Binance connector, over real sockets."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest
from scenes import CollectingSink, play, running
from test_binance import BTC, QUICK, feed_of

from arena.errors import FeedError
from arena.feeds.base import FeedState
from arena.feeds.binance.feed import BinanceFeed, BinanceTiming
from arena.feeds.fakes.binance import FakeBinance


@pytest.mark.parametrize("how", ["cut", "hang_up"])
def test_a_lost_connection_is_opened_again(how: str) -> None:
    async def scene() -> None:
        async with FakeBinance() as fake, running(feed_of(fake)) as heard:
            await fake.subscribed("btcusdt@trade")
            await fake.trade(BTC, "1")
            await heard.until(lambda: bool(heard.updates))
            if how == "cut":
                fake.cut()
            else:
                await fake.hang_up()
            await fake.attempted(2)
            await fake.subscribed("btcusdt@trade")
            await heard.until(lambda: heard.states[-1][0] is FeedState.DOWN)
            await fake.connected(1)
            await fake.trade(BTC, "2")
            await heard.until(lambda: heard.prices == [1.0, 2.0])
            assert heard.states[-1][0] is FeedState.LIVE

    play(scene)


def test_a_mute_but_open_socket_is_replaced() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            timing = BinanceTiming(silence=0.1, first_delay=0.01, max_delay=0.02, spacing=0.0)
            async with running(feed_of(fake, timing)) as heard:
                await fake.subscribed("btcusdt@trade")
                await fake.trade(BTC, "1", trade_id=1000)
                await heard.until(lambda: bool(heard.updates))
                fake.mute = True
                await fake.attempted(3)
                fake.mute = False
                assert any("silent" in sentence for _, sentence in heard.states)
                await fake.connected(1)
                while heard.prices[-1] != 2.0:
                    await fake.trade(BTC, "2")
                    await asyncio.sleep(0)

    play(scene)


def test_trade_ids_that_restart_after_a_break_are_accepted() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake, running(feed_of(fake)) as heard:
            await fake.subscribed("btcusdt@trade")
            now = time.time()
            await fake.trade(BTC, "1", trade_id=1000, moment=now - 100)
            await fake.trade(BTC, "2", trade_id=5, moment=now - 99)
            await fake.trade(BTC, "3", trade_id=6, moment=now)
            await fake.trade(BTC, "4", trade_id=7, moment=now)
            await heard.until(lambda: len(heard.updates) == 3)
            assert heard.prices == [1.0, 3.0, 4.0]

    play(scene)


def test_an_announced_shutdown_loses_no_trade() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            feed = feed_of(fake, BinanceTiming(first_delay=60.0, spacing=0.0))
            async with running(feed) as heard:
                await fake.subscribed("btcusdt@trade")
                await fake.trade(BTC, "1")
                await heard.until(lambda: bool(heard.updates))
                await fake.announce_shutdown()
                # Both connections are read until the new one speaks; each trade counts once.
                await fake.connected(2)
                await fake.trade(BTC, "2")
                await fake.connected(1)
                await fake.trade(BTC, "3")
                await heard.until(lambda: len(heard.updates) >= 3)
            assert heard.prices == [1.0, 2.0, 3.0]
            assert feed.counts["shutdown"] == 1
            assert FeedState.DOWN not in [state for state, _ in heard.states]

    play(scene)


@pytest.mark.system
def test_a_connection_is_replaced_before_the_venue_ends_it() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            async with running(feed_of(fake, BinanceTiming(max_age=0.2, first_delay=0.01, spacing=0.0))) as heard:
                sent = 0
                while fake.attempts < 4:
                    sent += 1
                    await fake.trade(BTC, str(sent))
                    await asyncio.sleep(0)
            assert heard.prices == sorted(set(heard.prices))
            gaps = [after - before for before, after in pairwise(heard.prices)]
            assert set(gaps) <= {1.0}
            assert FeedState.DOWN not in [state for state, _ in heard.states]

    play(scene)


def test_a_blocked_location_is_reported_and_ends_the_feed() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            fake.refuse(451, times=9)
            heard = CollectingSink()
            with pytest.raises(FeedError, match=r"does not serve this location \(HTTP 451"):
                await feed_of(fake).run(heard)
            assert fake.attempts == 1

    play(scene)


def test_the_second_address_serves_where_the_first_is_blocked() -> None:
    async def scene() -> None:
        async with FakeBinance() as blocked, FakeBinance() as fake:
            blocked.refuse(451, times=9)
            feed = BinanceFeed([BTC], blocked.url, (fake.url,), timing=QUICK)
            async with running(feed) as heard:
                await fake.subscribed("btcusdt@trade")
                await fake.trade(BTC, "7")
                await heard.until(lambda: heard.prices == [7.0])
            assert blocked.attempts == 1

    play(scene)


@pytest.mark.parametrize("status", [418, 429])
def test_a_retry_after_is_obeyed(status: int) -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            fake.refuse(status, retry_after="1")
            loop = asyncio.get_running_loop()
            started = loop.time()
            async with running(feed_of(fake)) as heard:
                await fake.attempted(2)
                assert loop.time() - started >= 1.0
                assert f"HTTP {status}" in heard.states[1][1]
                assert "1 s" in heard.states[1][1]

    play(scene)


def test_other_refusals_and_dead_addresses_are_retried_with_growing_delays() -> None:
    async def scene() -> None:
        async with FakeBinance() as gone:
            dead = gone.url
        async with FakeBinance() as fake:
            fake.refuse(503, times=2)
            feed = BinanceFeed([BTC], dead, (fake.url,), timing=QUICK)
            async with running(feed) as heard:
                await fake.subscribed("btcusdt@trade")
                await fake.trade(BTC, "7")
                await heard.until(lambda: heard.prices == [7.0])
            said = " ".join(sentence for _, sentence in heard.states)
            assert "HTTP 503" in said
            assert "cannot be reached" in said

    play(scene)


def test_delays_double_up_to_a_limit_and_never_overflow() -> None:
    feed = BinanceFeed([BTC], timing=BinanceTiming(first_delay=1.0, max_delay=60.0))
    pauses = [feed._next_delay() for _ in range(5000)]
    for n, pause in enumerate(pauses):
        least = min(2.0 ** min(n, 10), 60.0)
        assert least <= pause <= 1.5 * least


def test_good_but_short_connections_stay_below_the_venues_limit() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            timing = BinanceTiming(first_delay=0.0, spacing=0.3)
            async with running(feed_of(fake, timing)) as heard:
                loop = asyncio.get_running_loop()
                began = loop.time()
                for count in range(1, 4):
                    await fake.attempted(count)
                    await fake.subscribed("btcusdt@trade")
                    await fake.trade(BTC, str(count))
                    await heard.until(lambda wanted=count: len(heard.updates) == wanted)
                    await fake.announce_shutdown()
                await fake.attempted(4)
                assert loop.time() - began >= 0.85

    play(scene)
    assert 300 / BinanceTiming().spacing < 300


def test_cancelling_closes_the_outgoing_connection_too() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            before = asyncio.all_tasks()
            async with running(feed_of(fake, BinanceTiming(spacing=0.0))) as heard:
                await fake.subscribed("btcusdt@trade")
                await fake.trade(BTC, "1")
                await heard.until(lambda: bool(heard.updates))
                await fake.announce_shutdown()
                await fake.connected(2)
            await fake.connected(0)
            assert not [task for task in asyncio.all_tasks() - before if "binance" in task.get_name()]

    play(scene)
