"""Lost, silent and refused connections of the Manifold connector, over real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace

import pytest
from scenes import CollectingSink, play, running
from test_manifold import BETS, QUICK, RAIN, WHO, feed_of, listed
from websockets.asyncio.server import ServerConnection, serve

from arena.errors import FeedError
from arena.feeds.base import FeedState
from arena.feeds.fakes.manifold import FakeManifold
from arena.feeds.manifold.feed import ManifoldFeed, ManifoldTiming


@pytest.mark.parametrize("how", ["cut", "going away", "normal"])
def test_a_lost_connection_is_opened_again_and_all_of_it_subscribed(how: str) -> None:
    async def scene() -> None:
        async with FakeManifold() as fake, running(feed_of(listed(fake), "will-it-rain", "who-wins")) as heard:
            await fake.subscribed(BETS)
            if how == "cut":
                fake.cut()
            else:
                await fake.hang_up(1000 if how == "normal" else 1001)
            await heard.until(lambda: heard.states[-1][0] is FeedState.DOWN)
            await fake.attempted(2)
            for topic in (BETS, f"contract/{RAIN}", f"contract/{WHO}/new-bet", f"contract/{WHO}/updated-answers"):
                await fake.subscribed(topic)
            await fake.broadcast(fake.markets.bet(RAIN, 0.6))
            await heard.until(lambda: 0.6 in heard.prices and heard.states[-1][0] is FeedState.LIVE)

    play(scene)


def test_what_happened_meanwhile_is_read_by_rest() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake, running(feed_of(listed(fake), "will-it-rain", "who-wins")) as heard:
            await fake.subscribed(BETS)
            await fake.requested("market-probs")
            fake.refuse_sockets(503, times=2)
            fake.cut()
            await fake.attempted(2)
            fake.markets.bet(RAIN, 0.6)
            fake.markets.resolve(WHO, "aaaaaaaaaa")
            await fake.attempted(4)
            await heard.until(lambda: 0.6 in heard.prices and len(heard.resolutions) == 2)
            assert sum(path == f"/v0/market/{RAIN}" for path in fake.requests) == 1

    play(scene)


@pytest.mark.parametrize("trouble", ["mute", "deaf"])
def test_a_connection_that_does_not_acknowledge_is_replaced(trouble: str) -> None:
    async def scene() -> None:
        timing = replace(QUICK, ack_timeout=0.4, ping_every=0.1, request_timeout=0.4)
        async with FakeManifold() as fake, running(feed_of(listed(fake), timing=timing)) as heard:
            await fake.pinged(2)
            setattr(fake, trouble, True)
            await fake.attempted(3)
            assert "open but silent" in heard.sentences
            await fake.unmute()
            await heard.until(lambda: heard.states[-1][1].startswith("Receiving"))

    play(scene)


def test_pings_keep_the_connection_that_a_silent_client_would_lose() -> None:
    async def scene() -> None:
        pinging = replace(QUICK, ping_every=0.05)
        async with FakeManifold(ping_timeout=1.5) as fake, running(feed_of(listed(fake), timing=pinging)):
            await fake.pinged(35)
            assert fake.attempts == 1
        async with FakeManifold(ping_timeout=0.05) as fake, running(feed_of(listed(fake))):
            await fake.attempted(3)

    play(scene)


def test_without_broadcasts_polling_keeps_the_feed_live_and_its_state_says_so() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            fake.refuse_sockets(503, times=10_000)
            async with running(feed_of(listed(fake), poll=0.02)) as heard:
                await heard.until(lambda: len(heard.updates) >= 3)
                fake.markets.bet(RAIN, 0.6)
                await heard.until(lambda: 0.6 in heard.prices)
                await fake.attempted(3)
            words = "Asking Manifold for probabilities every 0.02 s, without broadcasts."
            assert [state for state in heard.states if state[0] is not FeedState.CONNECTING] == [
                (FeedState.LIVE, words)
            ]

    play(scene)


def test_without_rest_the_broadcasts_go_on(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            feed = feed_of(listed(fake), poll=0.02)
            async with running(feed) as heard:
                await fake.subscribed(BETS)
                await heard.until(lambda: heard.states[-1][1].startswith("Receiving"))
                fake.refuse_rest(500, times=10_000)
                await fake.requested("market-probs", sum("market-probs" in path for path in fake.requests) + 2)
                assert feed.counts["refusals"]
                await fake.broadcast(fake.markets.bet(RAIN, 0.6))
                await heard.until(lambda: 0.6 in heard.prices)
                assert heard.states[-1][0] is FeedState.LIVE
        assert "HTTP 500" in caplog.text

    with caplog.at_level(logging.WARNING):
        play(scene)


def test_after_too_many_requests_none_is_made_before_the_time_of_retry_after() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            loop = asyncio.get_running_loop()
            fake.refuse_rest(429, "1")
            began = loop.time()
            async with running(feed_of(listed(fake), poll=0.02)) as heard:
                await heard.until(lambda: bool(heard.updates))
                assert loop.time() - began >= 1.0
                assert fake.requests[1:2] == ["/v0/slug/will-it-rain"]
            assert "HTTP 429" in heard.sentences
            assert "1 s" in heard.sentences

    play(scene)


@pytest.mark.parametrize("trouble", ["500", "garbled", "another market", "drip", "mute"])
def test_a_venue_that_fails_at_the_start_is_asked_again(trouble: str) -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            listed(fake)
            if trouble == "500":
                fake.refuse_rest(500, times=2)
            elif trouble == "garbled":
                fake.garble_rest(b"<html>", times=2)
            elif trouble == "another market":
                fake.garble_rest(b'{"id":"x","outcomeType":"BINARY","slug":"y","probability":0.9}', times=2)
            else:
                setattr(fake, "dripping" if trouble == "drip" else "mute", True)
            timing = replace(QUICK, request_timeout=0.3 if trouble in {"drip", "mute"} else 30.0)
            async with running(feed_of(fake, timing=timing)) as heard:
                await heard.until(lambda: any(state is FeedState.DOWN for state, _ in heard.states))
                await fake.unmute()
                await heard.until(lambda: heard.prices[:1] == [0.5])

    play(scene)


def test_a_market_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            fake.garble_rest(b"{}")
            timing = replace(QUICK, ping_every=0.05)
            async with running(feed_of(listed(fake), "will-it-rain", "who-wins", poll=0.02, timing=timing)) as heard:
                await heard.until(lambda: len({update.symbol for update in heard.updates}) == 3)
                await fake.subscribed(BETS)
            assert "cannot be read yet" in heard.sentences

    play(scene)


def test_a_location_that_is_not_served_ends_the_feed_with_a_sentence() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            fake.refuse_rest(451)
            with pytest.raises(FeedError, match=r"does not serve this location \(HTTP 451\)"):
                await feed_of(listed(fake)).run(CollectingSink())

    play(scene)


def test_a_refused_subscription_is_reported_and_repeated() -> None:
    async def refuse(connection: ServerConnection) -> None:
        asked.append(json.loads(await connection.recv()))
        again.release()
        # What the venue could not read it acknowledges without the number.
        await connection.send('{"type":"ack","success":false,"error":"Error parsing message."}')
        await connection.wait_closed()

    async def scene() -> None:
        async with FakeManifold() as fake, serve(refuse, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
            feed = ManifoldFeed(["will-it-rain"], 60.0, listed(fake).rest_url, url, timing=QUICK)
            async with running(feed):
                await again.acquire()
                await again.acquire()
            assert feed.counts["errors"] >= 1
            assert feed.counts["pings"] == 0
        assert asked[0] == {"type": "subscribe", "topics": [f"contract/{RAIN}", BETS], "txid": 0}

    asked: list[object] = []
    again = asyncio.Semaphore(0)
    play(scene)


def test_unreadable_messages_are_counted_and_logged_once_and_end_nothing(caplog: pytest.LogCaptureFixture) -> None:
    bad = ['{"type":"bro', "[]", "7", '{"type":"broadcast","topic":7,"data":[1]}', '{"type":"ack","txid":[]}', '"ack"']

    async def scene() -> None:
        async with FakeManifold() as fake:
            feed = feed_of(listed(fake))
            async with running(feed) as heard:
                await fake.subscribed(BETS)
                for text in [*bad, "x" * 100_000]:
                    await fake.send_raw(text)
                await fake.drip('{"type":"broadcast","topic":"contract/x/sports-live","data":{"score":1}}')
                await fake.broadcast(fake.markets.bet(RAIN, 0.6))
                await heard.until(lambda: 0.6 in heard.prices)
            assert feed.counts["garbled"] == 2
            assert feed.counts["unknown"] == 5
            assert feed.counts["errors"] == 1
            assert fake.attempts == 1

    with caplog.at_level(logging.WARNING):
        play(scene)
    assert sum("makes no sense" in record.message for record in caplog.records) == 1
    assert "x" * 200 not in caplog.text


def test_delays_grow_up_to_a_limit() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            fake.refuse_sockets(503, times=5)
            loop = asyncio.get_running_loop()
            timing = ManifoldTiming(first_delay=0.02, max_delay=0.08)
            began = loop.time()
            async with running(feed_of(listed(fake), timing=timing)):
                await fake.attempted(6)
            # 0.02, 0.04, 0.08, 0.08, 0.08, each up to half as long again.
            assert loop.time() - began >= 0.3

    play(scene)
