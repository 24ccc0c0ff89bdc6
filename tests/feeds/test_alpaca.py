"""The Alpaca connector against a loopback venue, over real sockets."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from scenes import CollectingSink, logged_by_feeds, play, running

from arena.errors import FeedError
from arena.feeds.alpaca.connection import AlpacaTiming
from arena.feeds.alpaca.feed import AlpacaFeed
from arena.feeds.alpaca.parser import AlpacaParser
from arena.feeds.base import FeedState, PriceUpdate
from arena.feeds.fakes.alpaca import FakeAlpaca

QUICK = AlpacaTiming(
    open_timeout=30.0, login=30.0, first_delay=0.01, max_delay=0.05, limit_delay=0.02, max_limit_delay=0.05
)
# A Friday at noon and the Saturday after it, in New York.
OPEN = round(datetime(2026, 3, 6, 12, tzinfo=ZoneInfo("America/New_York")).timestamp()) * 10**9
CLOSED = OPEN + 86_400 * 10**9


def feed_of(fake: FakeAlpaca, *symbols: str, **more: Any) -> AlpacaFeed:
    settings = {"timing": QUICK, "ws_url": fake.url, "base_url": fake.rest_url} | more
    return AlpacaFeed(symbols or ("AAPL",), fake.key, fake.secret, **settings)


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_trades_arrive_with_the_venues_time_and_ours(encoding: str) -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            feed = feed_of(fake, "AAPL", "TSLA", encoding=encoding, clock=lambda: OPEN)
            async with running(feed) as heard:
                await fake.subscribed("TSLA")
                await fake.trade("AAPL", 187.5, moment=OPEN - 877_000_001)
                await fake.trade("TSLA", 250.25, moment=OPEN - 1)
                await heard.until(lambda: len(heard.updates) == 2)
            now = OPEN / 10**9
            assert heard.updates == [
                PriceUpdate("AAPL", 187.5, (OPEN - 877_000_001) / 10**9, now, "alpaca"),
                PriceUpdate("TSLA", 250.25, (OPEN - 1) / 10**9, now, "alpaca"),
            ]
            assert [state for state, _ in heard.states] == [FeedState.CONNECTING, FeedState.LIVE]
            assert fake.paths == ["/v2/iex"]
            assert fake.requests[1:] == [
                {"action": "subscribe", channel: ["AAPL", "TSLA"]} for channel in ("trades", "statuses")
            ]

    play(scene)


def test_every_payload_reaches_the_recording_as_it_came_and_reads_the_same_again() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake, running(feed_of(fake, encoding="json")) as heard:
            await fake.subscribed("AAPL")
            first = await fake.trade("AAPL", 1.0)
            await fake.trade("AAPL", 2.0)
            await fake.cancel("AAPL", first + 1)
            await heard.until(lambda: len(heard.updates) == 3)
            assert [json.loads(frame.payload)[0]["T"] for frame in heard.frames] == [
                "success", "success", "subscription", "t", "t", "x",
            ]  # fmt: skip
            parser = AlpacaParser()
            again = [parser.parse(frame.payload, frame.receive_time_ns / 10**9) for frame in heard.frames]
            assert [update for updates in again for update in updates] == heard.updates

    play(scene)


def test_stocks_and_crypto_pairs_run_as_one_feed_over_two_connections() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            feed = feed_of(fake, "aapl", "btc/usd", "AAPL", location="eu-1", feed="sip")
            assert feed.symbols == ("AAPL", "BTC/USD")
            async with running(feed) as heard:
                await fake.subscribed("AAPL")
                await fake.subscribed("BTC/USD")
                await fake.trade("AAPL", 1.0)
                await fake.trade("BTC/USD", 71_856.1435, trade_id=3447222699101865076)
                await heard.until(lambda: len(heard.updates) == 2)
            assert sorted(fake.paths) == ["/v1beta3/crypto/eu-1", "/v2/sip"]
            assert {update.symbol: update.price for update in heard.updates} == {"AAPL": 1.0, "BTC/USD": 71_856.1435}

    play(scene)


def test_quotes_and_bars_set_prices_where_they_are_chosen() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            async with running(feed_of(fake, prices="quotes")) as heard:
                await fake.subscribed("AAPL", "q")
                await fake.quote("AAPL", 10.0, 10.5)
                await heard.until(lambda: heard.prices == [10.25])
            await fake.connected(0)
            async with running(feed_of(fake, prices="bars")) as heard:
                await fake.subscribed("AAPL", "b")
                await fake.bar("AAPL", 10.75, opened=1_700_000_040 * 10**9)
                await heard.until(lambda: bool(heard.updates))
                assert (heard.updates[0].price, heard.updates[0].event_time) == (10.75, 1_700_000_100.0)

    play(scene)


def test_corrections_and_cancels_reach_the_market_by_themselves() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake, running(feed_of(fake)) as heard:
            await fake.subscribed("AAPL")
            await fake.trade("AAPL", 1.0)
            wrong = await fake.trade("AAPL", 999.0)
            right = await fake.correct("AAPL", wrong, 1.5)
            await fake.cancel("AAPL", right)
            await fake.status("AAPL")
            await heard.until(lambda: len(heard.updates) == 4)
            assert heard.prices == [1.0, 999.0, 1.5, 1.0]

    play(scene)


def test_repeated_and_disordered_messages_change_nothing() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake, running(feed_of(fake)) as heard:
            await fake.subscribed("AAPL")
            fake.twice = True
            await fake.trade("AAPL", 1.0)
            fake.twice, fake.swapped = False, True
            await fake.trade("AAPL", 2.0)
            await fake.trade("AAPL", 3.0)
            fake.swapped = False
            await fake.trade("AAPL", 4.0)
            await heard.until(lambda: 4.0 in heard.prices)
            assert heard.prices == [1.0, 3.0, 4.0]

    play(scene)


def test_a_frame_that_comes_byte_by_byte_is_read_whole() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake, running(feed_of(fake)) as heard:
            await fake.subscribed("AAPL")
            fake.drip = 0.0001
            await fake.trade("AAPL", 1.0)
            await fake.trade("AAPL", 2.0)
            await heard.until(lambda: heard.prices == [1.0, 2.0])

    play(scene)


def test_unreadable_messages_are_counted_and_logged_once_and_end_nothing(caplog: pytest.LogCaptureFixture) -> None:
    bad = ["[{", "", "7", '[{"T":"t","S":"AAPL"}]', '[{"T":"zz","S":"AAPL"}]', b"\xc1", b"\x91", "[" * 100_000,
           '[{"T":"error","code":"x"}]', '[{"T":"error"}]', '[{"T":"error","code":405}]', '[{"T":"error","code":410}]',
           '[{"T":"error","code":403}]', '[{"T":"subscription"}]', '[{"T":"success"}]', "x" * 500_000]  # fmt: skip

    async def scene() -> None:
        async with FakeAlpaca() as fake:
            feed = feed_of(fake)
            async with running(feed) as heard:
                await fake.subscribed("AAPL")
                await heard.until(lambda: heard.is_live)
                for payload in bad:
                    await fake.send_raw(payload)
                await fake.trade("AAPL", 42.0)
                await heard.until(lambda: bool(heard.updates))
            assert heard.prices == [42.0]
            assert (feed.counts["garbled"], feed.counts["unknown"], feed.counts["connections"]) == (8, 1, 1)

    with caplog.at_level(logging.WARNING, logger="arena.feeds.alpaca"):
        play(scene)
    assert len(logged_by_feeds(caplog.records)) == 1


def test_the_keys_appear_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    key, secret = "PKVERYPRIVATE", "the-deepest-secret"
    shown: list[object] = []

    async def scene() -> None:
        async with FakeAlpaca(key=key, secret=secret) as fake:
            feed = feed_of(fake)
            fake.rest.refuse(503)
            async with running(feed) as heard:
                await fake.subscribed("AAPL")
                await fake.requested(2)
                await fake.send_raw(f'[{{"T":"error","code":500,"msg":"{key}"}}]')
                await fake.attempted(2)
            fake.refuse_login(402)
            with pytest.raises(FeedError) as caught:
                await feed.run(heard)
            shown.extend((heard.states, caught.value, vars(feed), [vars(each) for each in feed._connections]))
            assert secret not in str([frame.payload for frame in heard.frames])

    with caplog.at_level(logging.DEBUG):
        play(scene)
    assert "latest" in caplog.text
    own = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]
    assert key not in repr(shown)
    assert secret not in repr(shown) + repr(own)


def test_a_feed_is_reachable_when_every_endpoint_greets_without_a_login() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            assert await feed_of(fake, "AAPL", "BTC/USD").reachable(60.0)
            assert fake.requests == []
            fake.mute = True
            assert not await feed_of(fake).reachable(0.1)
            fake.refuse(503)
            assert not await feed_of(fake).reachable(60.0)
            url = fake.url
        assert not await AlpacaFeed(["AAPL"], "k", "s", ws_url=url).reachable(60.0)

    play(scene)


def test_symbols_and_keys_are_checked_before_any_connection() -> None:
    for symbols, key, secret in (([], "k", "s"), ([" "], "k", "s"), (["AAPL"], "", "s"), (["AAPL"], "k", "")):
        with pytest.raises(FeedError):
            AlpacaFeed(symbols, key, secret)


def test_a_wrong_address_is_final_and_not_reachable() -> None:
    async def scene() -> None:
        with pytest.raises(FeedError, match="address of Alpaca is wrong"):
            await AlpacaFeed(["AAPL"], "k", "s", ws_url="http://x").run(CollectingSink())
        assert not await AlpacaFeed(["AAPL"], "k", "s", ws_url="http://x").reachable(60.0)

    play(scene)
