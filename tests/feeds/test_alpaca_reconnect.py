"""Refusals, limits, lost and silent connections of the Alpaca connector, over real sockets."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from scenes import CollectingSink, play, running
from test_alpaca import CLOSED, OPEN, QUICK, feed_of

from arena.errors import FeedError
from arena.feeds.base import FeedState
from arena.feeds.fakes.alpaca import FakeAlpaca


@pytest.mark.parametrize("how", ["cut", "hang_up", "crash"])
def test_a_lost_connection_is_opened_again(how: str) -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake, running(feed_of(fake)) as heard:
            await fake.subscribed("AAPL")
            await fake.trade("AAPL", 1.0)
            await heard.until(lambda: bool(heard.updates))
            if how == "cut":
                fake.cut()
            else:
                await fake.hang_up(1000 if how == "hang_up" else 1011)
            await fake.attempted(2)
            await heard.until(lambda: heard.is_live and len(heard.states) > 3)
            await fake.trade("AAPL", 2.0)
            await heard.until(lambda: heard.prices == [1.0, 2.0])
            assert FeedState.DOWN in [state for state, _ in heard.states]

    play(scene)


@pytest.mark.parametrize("code", [400, 401, 402, 409])
def test_final_refusals_end_the_feed_with_a_sentence(code: int) -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            fake.refuse_login(code, times=9)
            with pytest.raises(FeedError, match=rf"Alpaca .*\({code}\)"):
                await feed_of(fake).run(CollectingSink())
            assert fake.attempts == 1

    play(scene)


def test_a_wrong_key_is_not_tried_twice() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            feed = feed_of(fake)
            fake.secret = "another"
            with pytest.raises(FeedError, match="ALPACA_API_KEY and ALPACA_SECRET_KEY"):
                await feed.run(CollectingSink())
            assert fake.attempts == 1

    play(scene)


@pytest.mark.parametrize("code", [404, 407, 500, 599])
def test_temporary_errors_lead_to_another_connection(code: int) -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            feed = feed_of(fake, encoding="json")
            async with running(feed) as heard:
                await fake.subscribed("AAPL")
                await heard.until(lambda: heard.is_live)
                await fake.send_raw(f'[{{"T":"error","code":{code},"msg":"?"}}]')
                await fake.attempted(2)
                await heard.until(lambda: heard.is_live and len(heard.states) > 3)
            assert str(code) in heard.sentences
            assert feed.counts[f"error_{code}"] == 1
            assert feed.counts["slow_client"] == (code == 407)

    play(scene)


def test_a_connection_limit_is_retried_with_growing_delays() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            fake.refuse_login(406, times=3)
            feed = feed_of(fake, timing=replace(QUICK, limit_delay=0.04, max_limit_delay=0.2))
            loop = asyncio.get_running_loop()
            began = loop.time()
            async with running(feed) as heard:
                await fake.subscribed("AAPL")
                assert loop.time() - began >= 0.04 + 0.08 + 0.16
                await fake.trade("AAPL", 1.0)
                await heard.until(lambda: heard.prices == [1.0])
            assert feed.counts["error_406"] == 3
            assert "another connection with this key" in heard.sentences

    play(scene)


def test_of_too_many_symbols_as_many_are_subscribed_as_the_plan_allows() -> None:
    names = tuple(f"S{n:02}" for n in range(11))

    async def scene() -> None:
        async with FakeAlpaca(symbol_limit=7) as fake, running(feed_of(fake, *names)) as heard:
            await heard.until(lambda: heard.is_live)
            assert "trades of 7 symbols" in heard.states[-1][1]
            assert "Not of 4: S07, S08, S09, S10." in heard.states[-1][1]
            await fake.trade("S06", 1.0)
            await heard.until(lambda: heard.prices == [1.0])

    play(scene)


@pytest.mark.parametrize(("code", "why"), [(405, "symbol limit"), (410, "none of it")])
def test_the_feed_ends_where_nothing_can_be_subscribed(code: int, why: str) -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            fake.unavailable["trades"] = code
            with pytest.raises(FeedError, match=why):
                await feed_of(fake, "AAPL", "TSLA").run(CollectingSink())

    play(scene)


def test_one_kind_that_fails_for_good_leaves_the_other_running() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            fake.refuse_login(409)
            feed = feed_of(fake, "AAPL", "BTC/USD")
            async with running(feed) as heard:
                await heard.until(lambda: "(409)" in heard.sentences and heard.is_live)
                await fake.trade("AAPL", 1.0)
                await fake.trade("BTC/USD", 2.0)
                await heard.until(lambda: len(heard.updates) == 1)
                assert "plan does not include" in heard.states[-1][1]

    play(scene)


def test_the_feed_ends_when_both_kinds_have_failed() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            fake.refuse_login(402, times=2)
            with pytest.raises(FeedError, match=r"refuses the key.*refuses the key"):
                await feed_of(fake, "AAPL", "BTC/USD").run(CollectingSink())
            assert fake.attempts == 2

    play(scene)


def test_a_mute_but_open_socket_is_replaced_while_the_market_is_open() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            feed = feed_of(fake, timing=replace(QUICK, silence=0.4, login=0.4), clock=lambda: OPEN)
            async with running(feed) as heard:
                await fake.subscribed("AAPL")
                await fake.trade("AAPL", 1.0)
                await heard.until(lambda: bool(heard.updates))
                fake.mute = True
                await fake.attempted(2)
                assert "silent" in heard.sentences
                fake.mute = False
                await heard.until(lambda: heard.is_live)

    play(scene)


def test_a_closed_market_is_not_a_silent_connection() -> None:
    async def scene() -> None:
        asked, waited = 0, asyncio.Event()

        def clock() -> int:
            nonlocal asked
            asked += 1
            if asked > 12:  # three times for the login, then once for every silence
                waited.set()
            return CLOSED

        async with FakeAlpaca() as fake:
            async with running(feed_of(fake, timing=replace(QUICK, silence=0.02), clock=clock)) as heard:
                await waited.wait()
                await fake.trade("AAPL", 1.0)
                await heard.until(lambda: heard.prices == [1.0])
            assert fake.attempts == 1

    play(scene)


def test_a_venue_that_never_completes_the_login_is_left() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            fake.mute = True
            async with running(feed_of(fake, timing=replace(QUICK, login=0.2))) as heard:
                await fake.attempted(2)
                assert "login in time" in heard.sentences

    play(scene)


def test_refused_handshakes_and_dead_addresses_are_tried_again() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            fake.refuse(503, times=2)
            async with running(feed_of(fake)) as heard:
                await fake.subscribed("AAPL")
                await heard.until(lambda: heard.is_live)
                assert "HTTP 503" in heard.sentences
                url = fake.url
        async with running(feed_of(fake, ws_url=url)) as heard:
            await heard.until(lambda: FeedState.DOWN in dict(heard.states))
            assert "cannot be reached" in heard.sentences

    play(scene)


def test_delays_grow_while_connections_bring_no_price() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            fake.refuse_login(500, times=4)
            loop = asyncio.get_running_loop()
            began = loop.time()
            async with running(feed_of(fake, timing=replace(QUICK, first_delay=0.02, max_delay=10.0))):
                await fake.subscribed("AAPL")
            assert loop.time() - began >= 0.02 + 0.04 + 0.08 + 0.16

    play(scene)
