"""The Binance connector against a loopback venue, over real sockets."""

from __future__ import annotations

import asyncio
import logging

import pytest
from scenes import CollectingSink, logged_by_feeds, play, running

from arena.errors import FeedError
from arena.feeds.base import FeedState, PriceUpdate
from arena.feeds.binance.feed import MAX_STREAMS, BinanceFeed, BinanceTiming
from arena.feeds.fakes.binance import FakeBinance
from arena.feeds.http import is_loopback

BTC, ETH = "BTCUSDT", "ETHUSDT"
QUICK = BinanceTiming(open_timeout=30.0, first_delay=0.01, max_delay=0.05, spacing=0.0)


def feed_of(fake: FakeBinance, timing: BinanceTiming = QUICK, **more: object) -> BinanceFeed:
    return BinanceFeed([BTC, ETH], fake.url, (), timing=timing, **more)  # type: ignore[arg-type]


def test_trades_arrive_with_the_venues_time_and_ours() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            feed = feed_of(fake, clock=lambda: 1_700_000_001_500_000_000)
            async with running(feed) as heard:
                await fake.subscribed("ethusdt@trade")
                await fake.trade(BTC, "69000.10", moment=1_700_000_000.123)
                await fake.trade(ETH, "3450.5", moment=1_700_000_001.0)
                await heard.until(lambda: len(heard.updates) == 2)
            assert heard.updates == [
                PriceUpdate(BTC, 69000.10, 1_700_000_000.123, 1_700_000_001.5, "binance"),
                PriceUpdate(ETH, 3450.5, 1_700_000_001.0, 1_700_000_001.5, "binance"),
            ]
            assert [state for state, _ in heard.states] == [FeedState.CONNECTING, FeedState.LIVE]
            assert [frame.feed for frame in heard.frames] == ["binance"] * 2
            assert heard.frames[0].receive_time_ns == 1_700_000_001_500_000_000
            assert heard.frames[0].payload.startswith(b'{"stream":"btcusdt@trade","data":{"e":"trade",')
            assert fake.paths == ["/stream?streams=btcusdt@trade/ethusdt@trade"]

    play(scene)


def test_mini_tickers_set_prices_too() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake, running(feed_of(fake, stream="miniTicker")) as heard:
            await fake.subscribed("btcusdt@miniTicker")
            await fake.mini_ticker(BTC, "2.0", moment=50.0)
            await fake.mini_ticker(BTC, "1.0", moment=49.0)
            await fake.mini_ticker(BTC, "3.0", moment=51.0)
            await heard.until(lambda: len(heard.updates) == 2)
            assert [(u.price, u.event_time) for u in heard.updates] == [(2.0, 50.0), (3.0, 51.0)]

    play(scene)


def test_repeated_and_older_trades_count_once() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            feed = feed_of(fake)
            async with running(feed) as heard:
                await fake.subscribed("btcusdt@trade")
                for price, trade_id in (("1", 10), ("2", 10), ("3", 9), ("4", 11)):
                    await fake.trade(BTC, price, trade_id=trade_id)
                await fake.trade(ETH, "5", trade_id=1)
                await heard.until(lambda: len(heard.updates) == 3)
            assert heard.prices == [1.0, 4.0, 5.0]
            assert feed.counts["duplicates"] == 2

    play(scene)


def test_unreadable_messages_are_counted_and_logged_once_and_end_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = [
        '{"e":"trade"', "[]", "7", "null", '"text"', "[" * 100_000,
        '{"stream":"btcusdt@trade","data":[1]}',
        '{"e":"trade","s":"BTCUSDT","t":"1","p":"1","T":1}',
        '{"e":"trade","s":"BTCUSDT","t":true,"p":"1","T":1}',
        '{"e":"trade","s":"BTCUSDT","t":1,"p":"1","T":-5}',
        '{"e":"trade","s":["BTCUSDT"],"t":1,"p":"1","T":1}',
        '{"e":["trade"],"s":"BTCUSDT","t":1,"p":"1","T":1}',
        '{"e":"trade","s":"DOGEUSDT","t":1,"p":"1","T":1}',
        '{"e":"blockTrade","s":"BTCUSDT"}',
        '{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}',
        '{"result":null,"id":1}',
        *(f'{{"e":"trade","s":"BTCUSDT","t":1,"p":{price},"T":1}}'
          for price in ('"nan"', '"inf"', '"-1"', '"0"', '""', "null", "true", "[]", '"1e999"')),
    ]  # fmt: skip

    async def scene() -> None:
        async with FakeBinance() as fake:
            feed = feed_of(fake)
            async with running(feed) as heard:
                await fake.subscribed("btcusdt@trade")
                for text in bad:
                    await fake.send_raw(text)
                await fake.trade(BTC, "42")
                await heard.until(lambda: bool(heard.updates))
            assert heard.prices == [42.0]
            assert feed.counts["garbled"] == 5
            assert feed.counts["bad_prices"] == 9
            assert feed.counts["errors"] == feed.counts["replies"] == 1
            assert feed.counts["unknown"] == len(bad) - 16
            assert feed.counts["connections"] == 1

    with caplog.at_level(logging.WARNING, logger="arena.feeds.binance"):
        play(scene)
    assert len(logged_by_feeds(caplog.records)) == 1


def test_a_feed_is_reachable_only_when_a_price_arrives() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            asking = asyncio.create_task(feed_of(fake).reachable(60.0))
            await fake.subscribed("btcusdt@trade")
            await fake.send_raw("no price")
            await fake.trade(BTC, "1")
            assert await asking
            fake.mute = True
            assert not await feed_of(fake).reachable(0.1)
            fake.refuse(451)
            assert not await feed_of(fake).reachable(60.0)
            url = fake.url
        assert not await BinanceFeed([BTC], url, ()).reachable(60.0)

    play(scene)


def test_symbols_are_checked_before_any_connection() -> None:
    with pytest.raises(FeedError):
        BinanceFeed([])
    with pytest.raises(FeedError):
        BinanceFeed([f"S{n}" for n in range(MAX_STREAMS + 1)])
    assert BinanceFeed(["btcusdt", "BTCUSDT"]).symbols == (BTC,)


def test_a_wrong_address_is_final_and_not_reachable() -> None:
    async def scene() -> None:
        with pytest.raises(FeedError, match="address of Binance is wrong"):
            await BinanceFeed([BTC], "http://x", ()).run(CollectingSink())
        for url in ("http://x", "ws://127.0.0.1:99999", "ws://" + "x" * 300, "nonsense"):
            assert not await BinanceFeed([BTC], url, ()).reachable(60.0)

    play(scene)


def test_a_proxy_that_cannot_be_used_is_a_failure_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> None:
        feed = BinanceFeed([BTC], "ws://venue.invalid", (), timing=QUICK)
        assert not await feed.reachable(60.0)
        async with running(feed) as heard:
            await heard.until(lambda: FeedState.DOWN in dict(heard.states))
        assert "venue.invalid cannot be reached" in heard.states[-1][1]

    monkeypatch.setenv("ws_proxy", "socks5://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    play(scene)


def test_a_whole_market_can_be_sent_through_the_fake() -> None:
    async def scene() -> None:
        market = [{BTC: 69000.0 + n, ETH: 3450.5 - n} for n in range(5)]
        async with FakeBinance() as fake, running(feed_of(fake)) as heard:
            await fake.subscribed("btcusdt@trade")
            await fake.keep_trading(market, every=0.0)
            await heard.until(lambda: len(heard.updates) == 10)
            assert heard.prices == [price for tick in market for price in tick.values()]

    play(scene)


def test_only_this_machine_is_loopback() -> None:
    assert is_loopback("ws://127.0.0.1:80")
    assert is_loopback("ws://[::1]:80/x")
    assert is_loopback("ws://localhost")
    assert not is_loopback("wss://data-stream.binance.vision")
    assert not is_loopback("ws://10.0.0.1")
