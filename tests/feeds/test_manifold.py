"""The Manifold connector against a loopback venue, over real sockets."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from scenes import CollectingSink, play, running

from arena.errors import FeedError
from arena.feeds.base import FeedState, Pace
from arena.feeds.fakes.manifold import FakeManifold
from arena.feeds.manifold.feed import ManifoldFeed, ManifoldTiming
from arena.feeds.manifold.parser import ManifoldParser

RAIN, WHO = "EvIhzcJXwhL0HavaszD7", "ZNlNdzz690"
BETS = f"contract/{RAIN}/new-bet"
QUICK = ManifoldTiming(open_timeout=30.0, request_timeout=30.0, ping_every=60.0, first_delay=0.01, max_delay=0.05)


def listed(fake: FakeManifold) -> FakeManifold:
    fake.markets.list_binary(RAIN, "will-it-rain", 0.5)
    fake.markets.list_choice(WHO, "who-wins", {"aaaaaaaaaa": ("Ann Lee", 0.6), "bbbbbbbbbb": ("Bo", 0.4)})
    return fake


def feed_of(
    fake: FakeManifold, *markets: str, poll: float = 60.0, timing: ManifoldTiming = QUICK, **more: Any
) -> ManifoldFeed:
    return ManifoldFeed(markets or ["will-it-rain"], poll, fake.rest_url, fake.url, timing=timing, **more)


def test_the_page_comes_first_and_then_the_bets() -> None:
    async def scene() -> None:
        async with FakeManifold(clock=lambda: 1_700_000_000.0) as fake:
            feed = feed_of(listed(fake), "https://manifold.markets/Ann/will-it-rain", clock=lambda: 1_700_000_002.0)
            async with running(feed) as heard:
                await fake.subscribed(BETS)
                await fake.broadcast(fake.markets.bet(RAIN, 0.6, moment=1_700_000_001.0))
                await heard.until(lambda: heard.prices[-1:] == [0.6])
            first, last = heard.updates[0], heard.updates[-1]
            assert (first.symbol, first.price, first.event_time) == ("will-it-rain", 0.5, 1_700_000_000.0)
            assert (last.event_time, last.receive_time, last.feed) == (1_700_000_001.0, 1_700_000_002.0, "manifold")
            assert [state for state, _ in heard.states][:2] == [FeedState.CONNECTING, FeedState.LIVE]
            assert heard.states[-1] == (FeedState.LIVE, "Receiving probabilities from Manifold.")
            assert fake.requests[0] == "/v0/slug/will-it-rain"

    play(scene)


@pytest.mark.parametrize("written", [RAIN, "rainsoon", "will-it-rain"])
def test_a_market_is_found_by_id_or_by_slug_however_it_looks(written: str) -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            listed(fake).markets.list_binary("anotherid1", "rainsoon", 0.3)
            feed = feed_of(fake, written)
            async with running(feed) as heard:
                await heard.until(lambda: bool(heard.updates))
            assert heard.updates[0].symbol == written
            assert feed.symbols == (written,)

    play(scene)


def test_a_multiple_choice_market_gives_a_symbol_for_every_answer() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            feed = feed_of(listed(fake), "who-wins")
            assert feed.symbols == ("who-wins",)
            async with running(feed) as heard:
                await fake.subscribed(f"contract/{WHO}/updated-answers")
                assert feed.symbols == ("who-wins:ann-lee", "who-wins:bo")
                await fake.broadcast(fake.markets.bet(WHO, 0.7, answer="aaaaaaaaaa"))
                await fake.broadcast(fake.markets.move(WHO, "bbbbbbbbbb", 0.3))
                await fake.broadcast(fake.markets.add_answer(WHO, "cccccccccc", "Cy", 0.1))
                await heard.until(lambda: "who-wins:cy" in {update.symbol for update in heard.updates})
                last = {update.symbol: update.price for update in heard.updates}
                assert last == {"who-wins:ann-lee": 0.7, "who-wins:bo": 0.3, "who-wins:cy": 0.1}
                assert feed.symbols == tuple(last)

    play(scene)


def test_polling_confirms_a_quiet_market_and_finds_a_missed_change() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake, running(feed_of(listed(fake), poll=0.02)) as heard:
            await heard.until(lambda: len(heard.updates) >= 4)
            assert set(heard.prices) == {0.5}
            assert len({update.event_time for update in heard.updates}) == 1
            assert len({update.receive_time for update in heard.updates}) >= 4
            fake.markets.bet(RAIN, 0.7)  # and nobody is told
            await heard.until(lambda: heard.prices[-1] == 0.7)

    play(scene)


def test_probabilities_of_a_hundred_markets_take_one_request() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            names = [f"question-{n}" for n in range(103)]
            for n, name in enumerate(names):
                fake.markets.list_binary(f"id{n:08d}", name, 0.5)
            async with running(feed_of(fake, *names)) as heard:
                await heard.until(lambda: len(heard.updates) >= 206)
            asked = [path for path in fake.requests if "market-probs" in path]
            assert [path.count("ids=") for path in asked] == [100, 3]
            assert len({update.symbol for update in heard.updates}) == 103

    play(scene)


def test_a_resolution_is_broadcast() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            feed = feed_of(listed(fake), "will-it-rain", "who-wins:bo")
            async with running(feed) as heard:
                await fake.subscribed(f"contract/{WHO}")
                await fake.broadcast(fake.markets.resolve(RAIN, "YES"))
                await fake.broadcast(fake.markets.resolve(WHO, "aaaaaaaaaa"))
                await heard.until(lambda: len(heard.resolutions) == 2)
            assert {end.symbol: end.price for end in heard.resolutions} == {"will-it-rain": 1.0, "who-wins:bo": 0.0}
            assert not feed.pace("will-it-rain", 0.0).open

    play(scene)


def test_a_resolution_is_found_by_rest_at_the_start_and_later_without_a_broadcast() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            listed(fake).markets.resolve(RAIN, "NO")
            async with running(feed_of(fake, "will-it-rain", "who-wins", poll=0.02)) as heard:
                await heard.until(lambda: len(heard.resolutions) == 1)
                fake.markets.resolve(WHO, "CHOOSE_MULTIPLE", resolutions={"aaaaaaaaaa": 80, "bbbbbbbbbb": 20})
                await heard.until(lambda: len(heard.resolutions) == 3)
            ends = {end.symbol: end.price for end in heard.resolutions}
            assert ends == {"will-it-rain": 0.0, "who-wins:ann-lee": 0.8, "who-wins:bo": 0.2}

    play(scene)


def test_a_market_that_does_not_exist_is_named_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            fake.markets.list_binary("pollpollpo", "a-poll", 0.5, outcomeType="POLL")
            feed = feed_of(listed(fake), "no-such", "who-wins:nobody", "a-poll", "will-it-rain")
            async with running(feed) as heard:
                await fake.subscribed(BETS)
                await heard.until(lambda: heard.states[-1][1].startswith("Receiving"))
            for name in ("no-such", "who-wins:nobody", "a-poll"):
                assert f"Left out: {name} (" in heard.states[-1][1]
                assert name in caplog.text
            assert feed.symbols == ("will-it-rain",)

    with caplog.at_level(logging.WARNING):
        play(scene)


def test_where_none_is_left_the_feed_ends_with_a_sentence() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            with pytest.raises(FeedError, match=r"none of the markets asked for: gone, no-such\.|no-such, gone\."):
                await feed_of(fake, "no-such", "gone").run(CollectingSink())

    play(scene)


@pytest.mark.parametrize(
    "wrong", [{"markets": []}, {"markets": [" "]}, {"base_url": "nowhere"}, {"ws_url": "http://["}]
)
def test_settings_that_cannot_work_are_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(FeedError, match=r"\.$"):
        ManifoldFeed(**{"markets": ["x"], **wrong})


@pytest.mark.parametrize("wrong", [{"base_url": "gopher://127.0.0.1"}, {"ws_url": "gopher://127.0.0.1"}])
def test_addresses_of_another_kind_end_the_feed_with_a_sentence(wrong: dict[str, str]) -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            where = {"base_url": listed(fake).rest_url, "ws_url": fake.url, **wrong}
            with pytest.raises(FeedError, match="is no address"):
                await ManifoldFeed(["will-it-rain"], **where, timing=QUICK).run(CollectingSink())  # type: ignore[arg-type]

    play(scene)


def test_a_markets_pace_is_the_polls_until_it_closes() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            fake.markets.list_binary(RAIN, "will-it-rain", 0.5, closeTime=2_000_000_000_000)
            feed = feed_of(fake, poll=45.0)
            assert feed.pace("will-it-rain", 1e9) == Pace(45.0)
            async with running(feed) as heard:
                await heard.until(lambda: bool(heard.updates))
            assert feed.pace("will-it-rain", 1_999_999_999.0) == Pace(45.0, open=True)
            assert feed.pace("will-it-rain", 2_000_000_001.0) == Pace(45.0, open=False)

    play(scene)


def test_reachable_means_that_the_page_of_a_market_arrives() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake:
            assert await feed_of(listed(fake), "no-such", "who-wins").reachable(60.0)
            assert not await feed_of(fake, "no-such").reachable(60.0)
            fake.refuse_rest(500, times=9)
            assert not await feed_of(fake).reachable(60.0)
            fake.mute = True
            assert not await feed_of(fake).reachable(0.05)
            assert not await ManifoldFeed(["x"], base_url="gopher://x").reachable(0.5)

    play(scene)


def test_a_replay_of_the_frames_gives_the_same_prices() -> None:
    async def scene() -> tuple[CollectingSink, ManifoldFeed]:
        async with FakeManifold() as fake:
            feed = feed_of(listed(fake), RAIN, "who-wins")
            async with running(feed) as heard:
                await fake.subscribed(f"contract/{WHO}/new-bet")
                await fake.broadcast(fake.markets.bet(RAIN, 0.6))
                await fake.send_raw('{"type":"bro')
                await fake.broadcast(fake.markets.bet(WHO, 0.7, answer="aaaaaaaaaa"))
                await fake.broadcast(fake.markets.resolve(RAIN, "YES"))
                await heard.until(lambda: bool(heard.resolutions))
        for settings in ([RAIN, "who-wins"], feed.symbols):
            parser = ManifoldParser(settings)
            parts = [parser.parse(frame.payload, frame.receive_time_ns / 1e9) for frame in heard.frames]
            again = [item for part in parts for item in part]
            assert [item for item in again if item in heard.updates] == heard.updates
            assert [item for item in again if item in heard.resolutions] == heard.resolutions
            assert len(again) == len(heard.updates) + len(heard.resolutions)
        return heard, feed

    async def bounded() -> None:
        await scene()

    play(bounded)
