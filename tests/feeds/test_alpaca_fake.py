"""The fake Alpaca keeps the venue's documented rules, so that passing against it means something."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import msgpack
import pytest
from scenes import play
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from arena.feeds.fakes.alpaca import FakeAlpaca
from arena.feeds.fakes.alpaca_protocol import ERRORS

CONNECTED = [{"T": "success", "msg": "connected"}]
IN = [{"T": "success", "msg": "authenticated"}]


def dial(fake: FakeAlpaca, path: str = "/v2/iex", **headers: str) -> connect:
    return connect(fake.url + path, proxy=None, additional_headers=headers)


async def heard(socket: ClientConnection) -> Any:
    return json.loads(await socket.recv())


async def ask(socket: ClientConnection, **request: Any) -> Any:
    await socket.send(json.dumps(request))
    return await heard(socket)


async def log_in(socket: ClientConnection, fake: FakeAlpaca) -> None:
    assert await heard(socket) == CONNECTED
    assert await ask(socket, action="auth", key=fake.key, secret=fake.secret) == IN


def error(code: int) -> list[dict[str, Any]]:
    return [{"T": "error", "code": code, "msg": ERRORS[code]}]


def test_a_subscription_is_confirmed_in_full_with_corrections_and_cancels() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake, dial(fake) as socket:
            await log_in(socket, fake)
            empty = {name: [] for name in ("updatedBars", "dailyBars", "statuses", "lulds")}
            reply = await ask(socket, action="subscribe", trades=["AAPL"], quotes=["AMD", "CLDR"], bars=["*"])
            full = {"T": "subscription", "trades": ["AAPL"], "quotes": ["AMD", "CLDR"], "bars": ["*"],
                    "corrections": ["AAPL"], "cancelErrors": ["AAPL"]}  # fmt: skip
            assert reply == [full | empty]
            assert await ask(socket, action="unsubscribe", bars=["*"]) == [full | empty | {"bars": []}]

    play(scene)


def test_messages_go_to_the_subscribed_connections_in_their_encoding() -> None:
    async def scene() -> None:
        packed = {"Content-Type": "application/msgpack"}
        async with FakeAlpaca() as fake, dial(fake) as text, dial(fake, "/v2/sip", **packed) as binary:
            await log_in(text, fake)
            await ask(text, action="subscribe", trades=["AAPL"], statuses=["*"])
            await binary.recv()
            for request in ({"action": "auth", "key": fake.key, "secret": fake.secret},
                            {"action": "subscribe", "trades": ["*"], "quotes": ["AAPL"]}):  # fmt: skip
                await binary.send(msgpack.packb(request))
                await binary.recv()
            number = await fake.trade("AAPL", 1.5, moment=1_700_000_000_123_456_000)
            await fake.quote("AAPL", 1.0, 2.0)
            await fake.trade("TSLA", 2.0)
            await fake.cancel("AAPL", number)
            await fake.status("AAPL")
            [trade] = await heard(text)
            assert trade["t"] == "2023-11-14T22:13:20.123456Z"
            assert [(await heard(text))[0]["T"] for _ in range(2)] == ["x", "s"]
            arrived = [msgpack.unpackb(await binary.recv())[0] for _ in range(4)]
            assert [(message["T"], message["S"]) for message in arrived] == [
                ("t", "AAPL"), ("q", "AAPL"), ("t", "TSLA"), ("x", "AAPL"),
            ]  # fmt: skip
            assert arrived[0]["t"] == msgpack.Timestamp(1_700_000_000, 123_456_000)

    play(scene)


def test_crypto_has_order_books_and_no_corrections() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake, dial(fake, "/v1beta3/crypto/us") as socket:
            await log_in(socket, fake)
            [reply] = await ask(socket, action="subscribe", trades=["BTC/USD"])
            assert list(reply) == ["T", "trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars"]
            assert await ask(socket, action="subscribe", statuses=["BTC/USD"]) == error(410)
            await fake.trade("BTC/USD", 1.0)
            assert (await heard(socket))[0]["tks"] == "B"

    play(scene)


def test_logins_by_header_count_as_well() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            good = {"APCA-API-KEY-ID": fake.key, "APCA-API-SECRET-KEY": fake.secret}
            async with dial(fake, **good) as socket:
                assert [await heard(socket), await heard(socket)] == [CONNECTED, IN]
                assert (await ask(socket, action="subscribe", trades=["A"]))[0]["trades"] == ["A"]
            async with dial(fake, **(good | {"APCA-API-SECRET-KEY": "x"})) as socket:
                assert [await heard(socket), await heard(socket)] == [CONNECTED, error(402)]
                with pytest.raises(ConnectionClosed):
                    await socket.recv()

    play(scene)


def test_every_mistake_has_its_error() -> None:
    async def scene() -> None:
        async with FakeAlpaca(symbol_limit=2) as fake, dial(fake) as socket:
            assert await heard(socket) == CONNECTED
            assert await ask(socket, action="subscribe", trades=["A"]) == error(401)
            await ask(socket, action="auth", key=fake.key, secret=fake.secret)
            assert await ask(socket, action="auth", key=fake.key, secret=fake.secret) == error(403)
            assert await ask(socket, action="dance") == error(400)
            assert await ask(socket, action="subscribe", trades="A") == error(400)
            await socket.send("{")
            assert await heard(socket) == error(400)
            assert await ask(socket, action="subscribe", orderbooks=["A"]) == error(410)
            assert await ask(socket, action="subscribe", trades=["A", "B"], quotes=["A"]) == error(405)
            [reply] = await ask(socket, action="subscribe", trades=["A"], quotes=["A"], bars=["B"])
            assert (reply["trades"], reply["quotes"], reply["bars"]) == (["A"], ["A"], ["B"])
            await fake.error(407)
            assert await heard(socket) == error(407)

    play(scene)


def test_a_second_login_at_an_endpoint_is_over_the_limit_and_another_endpoint_is_not() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake, dial(fake) as first, dial(fake) as second, dial(fake, "/v2/test") as third:
            await log_in(first, fake)
            await log_in(third, fake)
            await heard(second)
            assert await ask(second, action="auth", key=fake.key, secret=fake.secret) == error(406)
            with pytest.raises(ConnectionClosed):
                await second.recv()

    play(scene)


def test_a_client_that_does_not_log_in_is_sent_away() -> None:
    async def scene() -> None:
        async with FakeAlpaca(auth_timeout=0.05) as fake, dial(fake) as socket:
            assert [await heard(socket), await heard(socket)] == [CONNECTED, error(404)]
            with pytest.raises(ConnectionClosed):
                await socket.recv()

    play(scene)


def question(fake: FakeAlpaca, path: str, **headers: str) -> tuple[int, Any, Any]:
    keys = {"APCA-API-KEY-ID": fake.key, "APCA-API-SECRET-KEY": fake.secret}
    answer = httpx2.get(fake.rest_url + path, headers=keys | headers, trust_env=False)
    return answer.status_code, answer.json(), answer.headers


def test_rest_returns_the_latest_of_each_symbol_with_the_right_keys() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            await fake.trade("AAPL", 1.5, moment=1_700_000_000_123_456_000)
            wrong = await fake.trade("AAPL", 2.5, moment=1_700_000_001_000_000_000)
            await fake.cancel("AAPL", wrong)
            path = "/v2/stocks/trades/latest?symbols=AAPL,TSLA&feed=iex"
            status, found, _ = await asyncio.to_thread(question, fake, path)
            assert (status, found) == (200, {"trades": {"AAPL": {
                "t": "2023-11-14T22:13:20.123456Z", "i": 1, "p": 1.5, "s": 1, "x": "V", "c": ["@"], "z": "C",
            }}})  # fmt: skip
            for more, expected in (({"APCA-API-SECRET-KEY": "x"}, 401), ({}, 200)):
                assert (await asyncio.to_thread(lambda m=more: question(fake, path, **m)))[0] == expected
            assert (await asyncio.to_thread(question, fake, "/v2/stocks/bars/latest?feed=iex"))[0] == 400
            assert (await asyncio.to_thread(question, fake, path.replace("iex", "test")))[0] == 400

    play(scene)


def test_rest_counts_the_requests_of_a_minute_and_returns_when_it_resets() -> None:
    async def scene() -> None:
        now = 1_700_000_000

        async with FakeAlpaca(rest_limit=1, clock_ns=lambda: now * 10**9) as fake:
            path = "/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD"
            statuses = []
            for _ in range(2):
                status, _, headers = await asyncio.to_thread(question, fake, path)
                statuses.append((status, headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]))
            assert statuses == [(200, "1", "0"), (429, "1", "0")]
            assert int(headers["X-RateLimit-Reset"]) == now // 60 * 60 + 60
            now += 60
            assert (await asyncio.to_thread(question, fake, path))[0] == 200

    play(scene)


def test_unknown_paths_are_not_found() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            for path in ("/", "/v2/nyse", "/v1beta3/crypto/moon"):
                with pytest.raises(InvalidStatus, match="404"):
                    async with dial(fake, path):
                        pass

    play(scene)
