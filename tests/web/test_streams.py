"""Live streams: what happens arrives while it happens, and they end when the arena ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from arena.engine.live.broadcast import Broadcast
from tests.arenas import BUYER, PATIENCE, Running, bot_source, running, settings_for

EMA = "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC"


def events(answer: httpx2.Response) -> Iterator[tuple[str, Any]]:
    kind = ""
    for line in answer.iter_lines():
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            yield kind, json.loads(line[5:])


def test_the_stream_tells_ticks_trades_and_the_board(live: Running, own_name: str) -> None:
    wanted = {"tick", "trade", "leaderboard", "submission"}
    seen: dict[str, Any] = {}
    with live.client.stream("GET", "/api/v1/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = events(answer)
        kind, hello = next(stream)
        assert kind == "tick"
        assert set(hello) == {"n", "time", "prices"}
        live.upload(bot_source(BUYER, name=own_name))
        live.api("POST", "/strategies", json={"prompt": EMA, "name": own_name})
        for kind, data in stream:
            if kind != "trade" or data["bot_name"] == own_name:
                seen.setdefault(kind, data)
            if wanted <= set(seen):
                break
    assert seen["trade"]["side"] == "BUY"
    assert set(seen["submission"]) == {"id", "status"}


def test_ticks_of_a_stream_have_no_gap(live: Running) -> None:
    numbers = []
    with live.client.stream("GET", "/api/v1/stream") as answer:
        for kind, data in events(answer):
            if kind == "tick":
                numbers.append(data["n"])
            if len(numbers) == 6:
                break
    assert numbers[1:] == list(range(numbers[1], numbers[1] + 5))


def test_a_submissions_stream_ends_with_its_end(live: Running, own_name: str) -> None:
    answer = live.api("POST", "/strategies", json={"prompt": EMA, "name": own_name})
    path = f"{answer.headers['location']}/events"
    with live.client.stream("GET", path) as stream:
        told = [data["status"] for kind, data in events(stream) if kind == "submission"]
    assert told[-1] == "admitted"
    order = ["queued", "generating", "validating", "testing", "admitted"]
    assert [order.index(status) for status in told] == sorted(order.index(status) for status in told)
    with live.client.stream("GET", path) as again:
        assert [data["status"] for _, data in events(again)] == ["admitted"]


def test_the_stream_of_an_unknown_submission_is_not_found(live: Running) -> None:
    answer = live.api("GET", "/strategies/nothing/events")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_stream_from_many_submissions_hears_only_its_own(live: Running, own_name: str) -> None:
    locations = [
        live.api("POST", "/strategies", json={"prompt": EMA, "name": f"{own_name} {n}"}).headers["location"]
        for n in range(3)
    ]
    for location in locations:
        with live.client.stream("GET", f"{location}/events") as stream:
            assert {data["id"] for _, data in events(stream)} == {location.rpartition("/")[2]}


@pytest.mark.system
def test_streams_end_when_the_arena_ends(tmp_path: Path) -> None:
    ended = threading.Event()
    begun = threading.Event()

    def listen(url: str) -> None:
        with (
            httpx2.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client,
            client.stream("GET", "/api/v1/stream") as answer,
        ):
            for _ in events(answer):
                begun.set()
        ended.set()

    with running(settings_for(tmp_path), tmp_path) as arena:
        listener = threading.Thread(target=listen, args=(arena.url,))
        listener.start()
        assert begun.wait(PATIENCE)
    assert ended.wait(PATIENCE)
    listener.join(PATIENCE)


@pytest.fixture
def broadcast() -> Broadcast:
    return Broadcast()


def test_a_slow_listener_loses_the_oldest_and_hears_the_end(broadcast: Broadcast) -> None:
    import asyncio

    async def slow() -> list[int]:
        with broadcast.listening() as stream:
            for n in range(1000):
                broadcast.publish("tick", {"n": n})
            broadcast.close()
            await asyncio.sleep(0)
            return [event.data["n"] async for event in stream]

    heard = asyncio.run(slow())
    assert heard == list(range(745, 1000))


def test_what_happens_between_listening_and_reading_is_heard(broadcast: Broadcast) -> None:
    import asyncio

    async def late() -> list[str]:
        with broadcast.listening() as stream:
            broadcast.publish("submission", {"id": "a"})
            await asyncio.sleep(0)
            broadcast.close()
            return [event.kind async for event in stream]

    assert asyncio.run(late()) == ["submission"]


def test_listening_after_the_end_is_an_empty_stream(broadcast: Broadcast) -> None:
    import asyncio

    broadcast.close()

    async def listen() -> list[str]:
        with broadcast.listening() as stream:
            return [event.kind async for event in stream]

    assert asyncio.run(listen()) == []


def test_publishing_to_a_listener_whose_loop_is_gone_does_no_harm(broadcast: Broadcast) -> None:
    import asyncio

    loop = asyncio.new_event_loop()

    async def begin() -> object:
        listening = broadcast.listening()
        listening.__enter__()
        return listening

    kept = loop.run_until_complete(begin())
    loop.close()
    broadcast.publish("tick", {})
    broadcast.close()
    assert kept is not None
