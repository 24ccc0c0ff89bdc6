"""Missed trades and unknown symbols: the Binance connector's REST requests, over real sockets."""

from __future__ import annotations

import logging

import pytest
from scenes import CollectingSink, play, running
from test_binance import BTC, ETH, QUICK

from arena.errors import FeedError
from arena.feeds.base import FeedState
from arena.feeds.binance.feed import BinanceFeed, BinanceTiming
from arena.feeds.binance.parser import BinanceParser
from arena.feeds.binance.rest import REQUESTS_PER_MINUTE, BinanceRest
from arena.feeds.fakes.binance import FakeBinance
from arena.feeds.live import LiveMarket


def feed_of(fake: FakeBinance, *symbols: str, timing: BinanceTiming = QUICK, **more: object) -> BinanceFeed:
    base_url = str(more.pop("base_url", fake.rest_url))
    names = symbols or (BTC, ETH)
    return BinanceFeed(names, fake.url, (), base_url=base_url, timing=timing, **more)  # type: ignore[arg-type]


async def first_price(fake: FakeBinance, heard: CollectingSink) -> None:
    await fake.subscribed("btcusdt@trade")
    await fake.trade(BTC, "1")
    await heard.until(lambda: bool(heard.updates))


def venue() -> FakeBinance:
    fake = FakeBinance()
    fake.market.list_symbols(BTC, ETH)
    return fake


def test_trades_made_while_disconnected_are_known_afterwards() -> None:
    async def scene() -> None:
        async with venue() as fake, running(feed_of(fake)) as heard:
            await first_price(fake, heard)
            fake.cut()
            await fake.connected(0)
            for price in ("2", "3"):
                await fake.trade(BTC, price)
            # No trade comes by the new connection: the venue's price is known all the same.
            await heard.until(lambda: heard.prices == [1.0, 2.0, 3.0])
            await fake.connected(1)
            await fake.again(BTC)
            await fake.trade(BTC, "4")
            await heard.until(lambda: heard.prices == [1.0, 2.0, 3.0, 4.0])
            market, parser = LiveMarket(), BinanceParser()
            for frame in heard.frames:
                for update in parser.parse(frame.payload, frame.receive_time_ns / 1e9):
                    market.on_price(update)
            assert market.prices_at(1e12) == {BTC: 4.0}
            assert parser.counts["backfilled"] == 2

    play(scene)


def test_trades_made_while_the_connection_was_silent_are_known_afterwards() -> None:
    async def scene() -> None:
        timing = BinanceTiming(silence=0.1, first_delay=0.01, max_delay=0.02, spacing=0.0)
        async with venue() as fake:
            feed = feed_of(fake, timing=timing)
            async with running(feed) as heard:
                await first_price(fake, heard)
                fake.mute = True
                await fake.trade(BTC, "2")
                await heard.until(lambda: heard.prices == [1.0, 2.0])
                assert feed.counts["backfilled"] == 1
                assert "silent" in heard.sentences

    play(scene)


@pytest.mark.parametrize("fault", ["hangs", "refuses", "nonsense", "gone"])
def test_a_gap_that_cannot_be_filled_is_no_failure(fault: str) -> None:
    async def scene() -> None:
        timing = BinanceTiming(first_delay=0.01, max_delay=0.02, spacing=0.0, rest=0.2)
        async with venue() as fake, FakeBinance() as elsewhere:
            base_url = elsewhere.rest_url + ("/nothing/here" if fault == "nonsense" else "")
            feed = feed_of(fake, timing=timing, base_url="http://127.0.0.1:1" if fault == "gone" else base_url)
            if fault == "hangs":
                elsewhere.answering.clear()
            if fault == "refuses":
                elsewhere.refuse_rest(503, times=99)
            async with running(feed) as heard:
                await first_price(fake, heard)
                fake.cut()
                await fake.connected(0)
                await fake.trade(BTC, "2")
                await fake.subscribed("btcusdt@trade")
                await fake.trade(BTC, "3")
                await heard.until(lambda: heard.prices == [1.0, 3.0])

    play(scene)


@pytest.mark.parametrize("status", [418, 429, 451])
def test_a_limit_on_requests_is_obeyed(status: int, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with venue() as fake:
            async with running(feed_of(fake)) as heard:
                await first_price(fake, heard)
                fake.refuse_rest(status, "3600")
                for _ in range(3):
                    seen = fake.attempts
                    fake.cut()
                    await fake.attempted(seen + 1)
                    await fake.connected(1)
            assert fake.rest_requests["trades"] == 1

    with caplog.at_level(logging.WARNING, logger="arena.feeds.binance"):
        play(scene)
    assert len([record for record in caplog.records if f"HTTP {status}" in record.getMessage()]) == 1


def test_the_requests_of_a_minute_are_limited() -> None:
    async def scene() -> None:
        async with venue() as fake:
            rest, answers = BinanceRest(fake.rest_url, 60.0), list[bytes]()
            await rest.missed_trades([BTC] * (REQUESTS_PER_MINUTE + 20), answers.append)
            await rest.missed_trades([ETH], answers.append)
            assert len(answers) == fake.rest_requests["trades"] == REQUESTS_PER_MINUTE

    play(scene)


def test_an_unknown_symbol_is_named_with_near_ones_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with venue() as fake:
            feed = feed_of(fake, BTC, "BTCUSD", "ZZZ")
            async with running(feed) as heard:
                await first_price(fake, heard)
                await heard.until(lambda: heard.states[-1][0] is FeedState.LIVE)
                assert heard.states[-1][1].endswith("Binance has no BTCUSD (near: BTCUSDT) and ZZZ: left out.")
            assert feed.symbols == (BTC,)
            assert fake.paths == ["/stream?streams=btcusdt@trade"]

    with caplog.at_level(logging.WARNING, logger="arena.feeds.binance"):
        play(scene)
    assert "BTCUSD (near: BTCUSDT)" in caplog.text


def test_a_feed_without_any_known_symbol_fails_with_a_sentence() -> None:
    async def scene() -> None:
        async with venue() as fake:
            with pytest.raises(FeedError, match=r"Binance has no BTCUSD \(near: BTCUSDT\): left out"):
                await feed_of(fake, "BTCUSD").run(CollectingSink())
            assert fake.attempts == 0

    play(scene)


def test_reachable_raises_where_the_venue_has_none_of_the_symbols() -> None:
    async def scene() -> None:
        async with venue() as fake:
            with pytest.raises(FeedError, match=r"Binance has no BTCUSD \(near: BTCUSDT\): left out"):
                await feed_of(fake, "BTCUSD").reachable(60.0)
            assert not await feed_of(fake, "BTCUSD", BTC).reachable(0.3)
            assert not await feed_of(fake, "BTCUSD", base_url="").reachable(0.3)

    play(scene)


def test_symbols_that_cannot_be_checked_are_used_unchecked() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            fake.answering.clear()
            timing = BinanceTiming(first_delay=0.01, rest=0.1)
            async with running(feed_of(fake, "ANYTHING", timing=timing)) as heard:
                await fake.subscribed("anything@trade")
                await fake.trade("ANYTHING", "2")
                await heard.until(lambda: heard.prices == [2.0])

    play(scene)


def test_a_thousand_symbols_are_subscribed_slowly_enough_by_messages() -> None:
    names = [f"COIN{n:04}USDT" for n in range(1024)]

    async def scene() -> None:
        async with FakeBinance() as fake:
            fake.market.list_symbols(*names)
            feed = feed_of(fake, *names)
            async with running(feed) as heard:
                await fake.subscribed("coin1023usdt@trade")
                await fake.trade("COIN0000USDT", "1")
                await fake.trade("COIN1023USDT", "2")
                await heard.until(lambda: heard.prices == [1.0, 2.0])
                assert fake.connections == 1
            assert fake.paths == ["/stream"]
            assert feed.counts["errors"] == 0
            assert feed.counts["replies"] == len(feed._subscription.messages) > 5

    play(scene)


def test_missed_mini_tickers_are_not_requested() -> None:
    async def scene() -> None:
        async with venue() as fake, running(feed_of(fake, stream="miniTicker")) as heard:
            await fake.subscribed("btcusdt@miniTicker")
            await fake.mini_ticker(BTC, "1")
            await heard.until(lambda: bool(heard.updates))
            fake.cut()
            await fake.connected(0)
            await fake.subscribed("btcusdt@miniTicker")
            await fake.mini_ticker(BTC, "2")
            await heard.until(lambda: heard.prices[-1] == 2.0)
            assert fake.rest_requests["trades"] == 0

    play(scene)


def test_pace_is_that_of_the_stream() -> None:
    trades, tickers = BinanceFeed([BTC]), BinanceFeed([BTC], stream="miniTicker")
    assert trades.pace(BTC, 0.0).interval > tickers.pace(BTC, 0.0).interval > 1.0
    assert trades.pace(BTC, 0.0).open
