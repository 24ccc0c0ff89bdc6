"""The latest prices of Alpaca's REST API: at the start, after a gap, and when a request fails."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from scenes import CollectingSink, logged_by_feeds, play, running
from test_alpaca import CLOSED, OPEN, QUICK, feed_of

from arena.errors import FeedError
from arena.feeds.alpaca.feed import AlpacaFeed
from arena.feeds.alpaca.parser import AlpacaParser
from arena.feeds.base import PriceUpdate
from arena.feeds.fakes.alpaca import FakeAlpaca
from arena.feeds.live import LiveMarket

NOW = OPEN / 10**9


def asked_for(fake: FakeAlpaca) -> list[str]:
    return [parse_qs(urlsplit(target).query)["symbols"][0] for target in fake.rest.requests]


def test_a_closed_market_has_its_last_prices_from_the_start_and_is_marked_as_closed() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            await fake.trade("AAPL", 187.25, moment=OPEN - 10**9)
            await fake.trade("AAPL", 187.5, moment=OPEN)
            feed = feed_of(fake, "AAPL", "TSLA", clock=lambda: CLOSED)
            market = LiveMarket([feed])
            async with running(feed) as heard:
                await heard.until(lambda: bool(heard.updates))
            market.on_price(heard.updates[0])
            now = CLOSED / 10**9
            assert heard.updates == [PriceUpdate("AAPL", 187.5, NOW, now, "alpaca", is_snapshot=True)]
            assert market.prices_at(now) == {"AAPL": 187.5}
            assert market.freshness(now)["AAPL"].state == "closed"
            assert fake.rest.requests == ["/v2/stocks/trades/latest?symbols=AAPL%2CTSLA&feed=iex"]
            assert feed.counts["recalls"] == 1

    play(scene)


@pytest.mark.parametrize(("age", "words"), [(30, "fresh"), (7200, "stale")])
def test_in_an_open_market_a_last_price_is_as_old_as_its_trade(age: int, words: str) -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            await fake.trade("AAPL", 187.5, moment=OPEN - age * 10**9)
            feed = feed_of(fake, clock=lambda: OPEN)
            market = LiveMarket([feed])
            async with running(feed) as heard:
                await heard.until(lambda: bool(heard.updates))
            market.on_price(heard.updates[0])
            assert market.freshness(NOW)["AAPL"].state == words
            await fake.connected(0)

    play(scene)


def test_prices_missed_during_a_lost_connection_arrive_after_it_and_only_once() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake, running(feed_of(fake, "AAPL", "TSLA")) as heard:
            await fake.requested(1)
            await fake.subscribed("TSLA")
            await fake.trade("TSLA", 250.0)
            await fake.trade("AAPL", 1.0)
            await heard.until(lambda: len(heard.updates) == 2)
            fake.refuse(503)
            fake.cut()
            await fake.connected(0)
            await fake.trade("AAPL", 2.0)
            await heard.until(lambda: heard.prices == [250.0, 1.0, 2.0])
            assert [update.is_snapshot for update in heard.updates] == [False, False, True]

    play(scene)


def test_a_latest_trade_from_rest_can_be_cancelled() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            number = await fake.trade("AAPL", 999.0)
            async with running(feed_of(fake)) as heard:
                await heard.until(lambda: heard.prices == [999.0])
                await fake.subscribed("AAPL")
                await fake.trade("AAPL", 1.0)
                await fake.cancel("AAPL", number)
                await fake.trade("AAPL", 2.0)
                await heard.until(lambda: heard.prices == [999.0, 1.0, 2.0])

    play(scene)


def test_latest_quotes_bars_and_pairs_are_requested_at_their_own_addresses() -> None:
    async def scene() -> None:
        async with FakeAlpaca(connection_limit=9) as fake:
            await fake.quote("BTC/USD", 10.0, 10.5)
            await fake.bar("AAPL", 10.75, opened=1_700_000_040 * 10**9)
            async with running(feed_of(fake, "BTC/USD", prices="quotes", location="eu-1")) as pairs:
                await pairs.until(lambda: pairs.prices == [10.25])
            async with running(feed_of(fake, prices="bars", feed="sip")) as stocks:
                await stocks.until(lambda: stocks.prices == [10.75])
                assert stocks.updates[0].event_time == 1_700_000_100.0
            assert fake.rest.requests == [
                "/v1beta3/crypto/eu-1/latest/quotes?symbols=BTC%2FUSD",
                "/v2/stocks/bars/latest?symbols=AAPL&feed=sip",
            ]

    play(scene)


def test_latest_prices_of_subscribed_symbols_are_requested_a_hundred_at_a_time() -> None:
    names = tuple(f"S{n:03}" for n in range(151))

    async def scene() -> None:
        async with FakeAlpaca(symbol_limit=150) as fake, running(feed_of(fake, *names)) as heard:
            await heard.until(lambda: heard.is_live)
            await fake.requested(2)
            assert [len(group.split(",")) for group in asked_for(fake)] == [100, 50]
            assert "S150" not in "".join(asked_for(fake))

    play(scene)


@pytest.mark.parametrize("more", [{"feed": "test"}, {"base_url": ""}])
def test_nothing_is_requested_without_a_rest_api(more: dict[str, str]) -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake, running(feed_of(fake, "FAKEPACA", **more)) as heard:
            await fake.subscribed("FAKEPACA")
            await fake.trade("FAKEPACA", 1.0)
            await heard.until(lambda: heard.prices == [1.0])
            assert fake.rest.requests == []

    play(scene)


def test_an_invalid_address_is_refused_at_once() -> None:
    for url in ("data.alpaca.markets", "ftp://x", "http://", "http://[", "http://x:99999999"):
        with pytest.raises(FeedError, match="base_url of Alpaca"):
            AlpacaFeed(["AAPL"], "k", "s", base_url=url)


@pytest.mark.parametrize("status", [401, 403])
def test_a_final_refusal_of_the_last_prices_is_logged_once_and_leaves_the_stream(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            fake.rest.refuse(status, times=9)
            feed = feed_of(fake)
            async with running(feed) as heard:
                await fake.requested(1)
                await fake.subscribed("AAPL", "s")
                await fake.trade("AAPL", 1.0)
                await heard.until(lambda: heard.prices == [1.0])
                assert heard.is_live
            assert (len(fake.rest.requests), feed.counts["recalls_refused"]) == (1, 1)

    with caplog.at_level(logging.WARNING, logger="arena.feeds.alpaca"):
        play(scene)
    assert logged_by_feeds(caplog.records) == [
        f"Alpaca does not tell the last prices of stocks (iex): 127.0.0.1 refused it (HTTP {status})."
    ]


def test_failed_requests_for_latest_prices_are_repeated_until_they_succeed() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            await fake.trade("AAPL", 1.0)
            fake.rest.refuse(503, times=3)
            feed = feed_of(fake)
            async with running(feed) as heard:
                await heard.until(lambda: heard.prices == [1.0])
            assert (feed.counts["recalls_refused"], feed.counts["recalls"], fake.attempts) == (3, 1, 1)

    play(scene)


def test_a_rate_limit_is_waited_out_to_the_moment_the_venue_names() -> None:
    minute = OPEN // (60 * 10**9) * 60 * 10**9

    async def scene() -> None:
        async with FakeAlpaca(rest_limit=0, clock_ns=lambda: minute) as fake:
            await fake.trade("AAPL", 1.0)
            loop = asyncio.get_running_loop()
            began = loop.time()
            async with running(feed_of(fake, clock=lambda: minute + 59_700_000_000)) as heard:
                await fake.requested(1)
                fake.rest.per_minute = 9
                await heard.until(lambda: heard.prices == [1.0])
            assert loop.time() - began >= 0.3
            assert len(fake.rest.requests) == 2

    play(scene)


def test_a_rest_api_that_never_answers_does_not_hold_up_the_stream() -> None:
    async def scene() -> None:
        asked: asyncio.Queue[bytes] = asyncio.Queue()

        async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.put_nowait(await reader.readline())
            await reader.read()
            writer.close()

        async with FakeAlpaca() as fake, await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with running(feed_of(fake, base_url=url, timing=replace(QUICK, open_timeout=1.0))) as heard:
                await asked.get()
                await fake.trade("AAPL", 1.0)
                await heard.until(lambda: heard.prices == [1.0])
                await asked.get()
            assert fake.attempts == 1

    play(scene)


def test_recorded_responses_are_parsed_the_same_again() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            await fake.trade("AAPL", 1.0)
            async with running(feed_of(fake, encoding="json")) as heard:
                await heard.until(lambda: heard.prices == [1.0])
                await fake.subscribed("AAPL", "s")
                await fake.trade("AAPL", 2.0)
                await heard.until(lambda: heard.prices == [1.0, 2.0])
            parser = AlpacaParser()
            again = [parser.parse(frame.payload, frame.receive_time) for frame in heard.frames]
            assert [update for updates in again for update in updates] == heard.updates

    play(scene)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"trades": {"AAPL": 7}}, "garbled"),
        ({"trades": {"AAPL": {}}}, "garbled"),
        ({"trades": {"AAPL": {"t": "2026-03-06T17:00:00Z", "p": -1, "i": 1, "x": "V"}}}, "bad_prices"),
        ({"trades": {"TSLA": {"t": "2026-03-06T17:00:00Z", "p": 1, "i": 1, "x": "V"}}}, "unknown"),
        ({"quotes": {"AAPL": {"t": "2026-03-06T17:00:00Z", "bp": 1, "ap": 1}}}, "not_price"),
        ({"trades": {"AAPL": {"T": "error", "code": 402}}}, "garbled"),
        ({"trades": []}, "garbled"),
        ({"message": "forbidden."}, "garbled"),
    ],
)
def test_unreadable_responses_are_counted(answer: object, kind: str) -> None:
    parser = AlpacaParser(["AAPL"], "trades")
    reading = parser.parse_payload(json.dumps(answer).encode(), NOW)
    assert (reading.updates, reading.controls, parser.counts) == ([], [], {kind: 1})
    assert parser.parse_payload(b'{"trades":{}}', NOW).updates == []
    assert parser.counts == {kind: 1}


def test_cancelling_the_feed_cancels_the_request_for_latest_prices() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            fake.rest.refuse(503, times=99)
            feed = feed_of(fake, timing=replace(QUICK, first_delay=5.0, max_delay=5.0))
            task = asyncio.create_task(feed.run(CollectingSink()))
            await fake.requested(1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert not [each for each in asyncio.all_tasks() if "last prices" in each.get_name()]

    play(scene)
