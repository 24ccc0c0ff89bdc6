"""What every live feed promises, over real sockets against its simulated venue."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from scenes import CollectingSink, play, running

from arena.errors import FeedError
from arena.feeds.base import FeedState, LiveFeed
from arena.feeds.fakes.simulation import NAMES, VenueSimulation, make_simulation

each_venue = pytest.mark.parametrize("name", NAMES)


@contextlib.asynccontextmanager
async def playing(name: str) -> AsyncIterator[tuple[VenueSimulation, LiveFeed, CollectingSink]]:
    """Run a venue's connector against its simulation, from the first price on."""
    async with make_simulation(name) as simulation:
        feed = simulation.connector()
        async with running(feed) as heard:
            await simulation.subscribed()
            await fresh_price(simulation, heard)
            yield simulation, feed, heard


async def fresh_price(simulation: VenueSimulation, heard: CollectingSink) -> None:
    """Publish until a price that is newer than this call arrives for every symbol."""
    before = {symbol: len(made) for symbol, made in simulation.walk.made.items()}
    while not all(newest(simulation, heard, symbol) >= number for symbol, number in before.items()):
        for symbol in before:
            await simulation.publish(symbol)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await heard.until(lambda: all(newest(simulation, heard, s) >= n for s, n in before.items()))


async def live_again(simulation: VenueSimulation, heard: CollectingSink) -> None:
    """Publish until prices flow and the feed reports LIVE; missed prices may arrive before that."""
    await fresh_price(simulation, heard)
    while heard.states[-1][0] is not FeedState.LIVE:
        await fresh_price(simulation, heard)


def newest(simulation: VenueSimulation, heard: CollectingSink, symbol: str) -> int:
    """Return the number of the newest price received of a symbol, -1 for none."""
    numbers = [simulation.walk.number(symbol, update.price) for update in heard.updates if update.symbol == symbol]
    assert None not in numbers, "a price was heard that was never sent"
    return max((number for number in numbers if number is not None), default=-1)


@each_venue
def test_a_price_arrives_with_both_times_and_the_feeds_name(name: str) -> None:
    async def scene() -> None:
        async with playing(name) as (simulation, feed, heard):
            assert feed.name == name
            assert set(simulation.walk.made) == set(feed.symbols) == {update.symbol for update in heard.updates}
            assert {update.feed for update in heard.updates} == {name}
            assert all(0 < update.event_time <= update.receive_time + 1 for update in heard.updates)
            assert heard.states[0][0] is FeedState.CONNECTING
            assert heard.states[-1][0] is FeedState.LIVE
            assert feed.counts["prices"] > 0
            assert all(feed.pace(symbol, time.time()).interval > 0 for symbol in feed.symbols)

    play(scene)


@each_venue
def test_the_frames_give_a_fresh_parser_the_same_prices(name: str) -> None:
    async def scene() -> None:
        async with playing(name) as (simulation, _, heard):
            await simulation.faults["garbage"]()
            await simulation.faults["repeat"]()
            await simulation.faults["cut in mid-frame"]()
            await fresh_price(simulation, heard)
        assert {frame.feed for frame in heard.frames} == {name}
        stamps = [frame.receive_time_ns for frame in heard.frames]
        assert stamps == sorted(stamps)
        parser = simulation.parser()
        again = [u for frame in heard.frames for u in parser.parse(frame.payload, frame.receive_time)]
        assert [u.receive_time for u in again] == [u.receive_time for u in heard.updates]
        assert [replace(u, receive_time=0.0) for u in again] == [replace(u, receive_time=0.0) for u in heard.updates]

    play(scene)


@each_venue
@pytest.mark.parametrize("fault", ["cut in mid-frame", "close"])
def test_a_lost_connection_recovers(name: str, fault: str) -> None:
    async def scene() -> None:
        async with playing(name) as (simulation, _, heard):
            await simulation.faults[fault]()
            await heard.until(lambda: heard.states[-1][0] is FeedState.DOWN)
            await live_again(simulation, heard)

    play(scene)


@each_venue
def test_a_silent_venue_is_noticed_and_recovers(name: str) -> None:
    async def scene() -> None:
        async with playing(name) as (simulation, _, heard):
            await simulation.mute()
            await heard.until(lambda: heard.states[-1][0] is FeedState.DOWN)
            await simulation.restore()
            await live_again(simulation, heard)

    play(scene)


@each_venue
def test_unreadable_payloads_are_counted_and_harmless(name: str) -> None:
    async def scene() -> None:
        async with playing(name) as (simulation, feed, heard):
            before = feed.counts["garbled"]
            await simulation.faults["garbage"]()
            await fresh_price(simulation, heard)
            while feed.counts["garbled"] == before:
                await fresh_price(simulation, heard)

    play(scene)


@each_venue
def test_every_fault_is_survived(name: str) -> None:
    async def scene() -> None:
        async with playing(name) as (simulation, _, heard):
            for fault in simulation.faults.values():
                await fault()
                await simulation.restore()
                await fresh_price(simulation, heard)

    play(scene)


@each_venue
def test_a_permanent_refusal_ends_the_feed_and_names_the_reason(name: str) -> None:
    async def scene() -> None:
        async with make_simulation(name) as simulation:
            await simulation.refuse_for_good()
            with pytest.raises(FeedError) as error:
                await simulation.connector().run(CollectingSink())
            assert str(error.value).endswith(".")
            assert len(str(error.value).split()) > 3

    play(scene)


@each_venue
@pytest.mark.parametrize("venue", ["talking", "mute"])
def test_cancelling_ends_it_promptly_and_leaves_nothing_behind(name: str, venue: str) -> None:
    async def scene() -> None:
        async with make_simulation(name) as simulation:
            tasks = asyncio.all_tasks()
            async with running(simulation.connector()) as heard:
                await simulation.subscribed()
                await fresh_price(simulation, heard)
                assert sockets_of(simulation)
                if venue == "mute":
                    await simulation.mute()
                began = asyncio.get_running_loop().time()
            # At once, or a minute later where nothing but the machine is slow: no connector waits for its venue.
            assert asyncio.get_running_loop().time() - began < 60.0
            await simulation.restore()
        # The simulation's own side of the connections is gone with it.
        assert asyncio.all_tasks() <= tasks
        assert sockets_of(simulation) == set()

    play(scene)


def sockets_of(simulation: VenueSimulation) -> set[str]:
    """Return the sockets of this process with an end at a port of the venue; other threads have others."""
    ports = {int(port) for value in simulation.settings().values() for port in re.findall(r"127\.0\.0\.1:(\d+)", value)}
    assert ports
    found = set()
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        _, local, remote, _, *_, inode = line.split()[:10]
        # Without an inode no process holds it any more.
        if inode != "0" and {int(end.partition(":")[2], 16) for end in (local, remote)} & ports:
            found.add(f"{local} {remote}")
    return found


@each_venue
def test_reachable_distinguishes_a_venue_from_none_in_time(name: str) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        async with make_simulation(name) as simulation:
            asking = asyncio.create_task(simulation.connector().reachable(60.0))
            while not asking.done():
                for symbol in simulation.walk.made:
                    await simulation.publish(symbol)
                await asyncio.wait([asking], timeout=0.02)
            assert asking.result()
            await simulation.mute()
            began = loop.time()
            assert not await simulation.connector().reachable(0.2)
            assert loop.time() - began < 30.0
            connector = simulation.connector()
        assert not await connector.reachable(60.0)

    play(scene)
