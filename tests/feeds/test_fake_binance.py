"""The fake venue keeps the venue's documented rules, so that passing against it means something."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from scenes import play
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from arena.feeds.fakes.binance import FakeBinance
from arena.feeds.fakes.binance_protocol import FakeBinanceSession

COLUMN = "at line 1 column"


def dial(fake: FakeBinance, path: str) -> connect:
    return connect(fake.url + path, proxy=None)


async def heard(socket: ClientConnection) -> Any:
    return json.loads(await socket.recv())


def test_combined_events_are_wrapped_and_raw_ones_bare() -> None:
    async def scene() -> None:
        async with (
            FakeBinance(clock=lambda: 1.0) as fake,
            dial(fake, "/stream?streams=btcusdt@trade/ethusdt@trade") as combined,
            dial(fake, "/ws/btcusdt@trade") as raw,
        ):
            await fake.connected(2)
            await fake.trade("BTCUSDT", "0.001", trade_id=12345, moment=1672515782.136)
            event = {
                "e": "trade", "E": 1000, "s": "BTCUSDT", "t": 12345, "p": "0.001",
                "q": "0.01000000", "T": 1672515782136, "m": False, "M": True,
            }  # fmt: skip
            assert await heard(combined) == {"stream": "btcusdt@trade", "data": event}
            assert await heard(raw) == event
            await fake.announce_shutdown()
            notice = {"e": "serverShutdown", "E": 1000}
            assert await heard(combined) == {"stream": "!serverShutdown", "data": notice}
            assert await heard(raw) == notice

    play(scene)


def test_times_come_in_microseconds_when_asked_for() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            path = "/stream?streams=btcusdt@trade&timeUnit=MICROSECOND"
            async with dial(fake, path) as socket:
                await fake.connected(1)
                await fake.trade("BTCUSDT", "1", moment=1672515782.136)
                assert (await heard(socket))["data"]["T"] == 1672515782136000

    play(scene)


def test_subscriptions_change_on_an_open_connection() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake, dial(fake, "/ws") as socket:
            ask = {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}
            await socket.send(json.dumps(ask))
            assert await heard(socket) == {"result": None, "id": 1}
            await fake.trade("BTCUSDT", "1")
            assert (await heard(socket))["s"] == "BTCUSDT"
            await socket.send('{"method":"SET_PROPERTY","params":["combined",true],"id":5}')
            assert await heard(socket) == {"result": None, "id": 5}
            await fake.trade("BTCUSDT", "1")
            assert (await heard(socket))["stream"] == "btcusdt@trade"

    play(scene)


def error(code: int, message: str, **more: object) -> dict[str, object]:
    return {"code": code, "msg": message, **more}


VARIANTS = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        ('{"method":"LIST_SUBSCRIPTIONS","id":3}', {"result": ["a@trade"], "id": 3}),
        ('{"method":"UNSUBSCRIBE","params":["a@trade"],"id":312}', {"result": None, "id": 312}),
        ('{"method":"GET_PROPERTY","params":["combined"],"id":2}', {"result": True, "id": 2}),
        ('{"method":"SET_PROPERTY","params":["x",true],"id":5}',
         error(0, "Unknown property", id=5)),
        ('{"method":"SET_PROPERTY","params":["combined",1]}',
         error(1, "Invalid value type: expected Boolean")),
        ('{"id":1}', error(2, f"Invalid request: missing field `method` {COLUMN} 8")),
        ('{"method":"X"}',
         error(2, f"Invalid request: unknown variant X, expected one of {VARIANTS} {COLUMN} 14")),
        ("{", error(3, "Invalid JSON: expected value at line 1 column 1")),
    ],
)  # fmt: skip
def test_control_messages_are_answered_as_documented(request_text: str, answer: dict[str, object]) -> None:
    assert json.loads(FakeBinanceSession(["a@trade"], combined=True).reply(request_text)) == answer


def test_a_client_that_sends_too_fast_is_disconnected() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake, dial(fake, "/ws") as socket:
            for _ in range(6):
                await socket.send('{"method":"LIST_SUBSCRIPTIONS"}')
            for _ in range(5):
                assert await heard(socket) == {"result": []}
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008

    play(scene)


def test_a_connection_ends_at_its_maximum_age() -> None:
    async def scene() -> None:
        async with FakeBinance(max_age=0.05) as fake, dial(fake, "/ws/btcusdt@trade") as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            await fake.connected(0)

    play(scene)


def test_pings_come_on_a_timer_and_silence_ends_the_connection() -> None:
    async def scene() -> None:
        async with FakeBinance(ping_interval=0.05, ping_timeout=0.05) as fake:
            reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(fake.url).port)
            writer.write(
                b"GET /ws/btcusdt@trade HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
            assert (await reader.readexactly(1))[0] == 0x89  # a ping frame
            await fake.connected(0)
            writer.close()
            await writer.wait_closed()

    play(scene)


def test_handshakes_can_be_refused_and_unknown_paths_are() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            fake.refuse(429, retry_after="7")
            with pytest.raises(InvalidStatus) as refused:
                await dial(fake, "/ws/btcusdt@trade")
            assert refused.value.response.status_code == 429
            assert refused.value.response.headers["Retry-After"] == "7"
            with pytest.raises(InvalidStatus):
                await dial(fake, "/nothing")

    play(scene)


def test_rest_answers_as_documented() -> None:
    async def scene() -> None:
        async with FakeBinance(clock=lambda: 300.0) as fake:
            await fake.trade("BTCUSDT", "5", moment=60.0)
            await fake.trade("BTCUSDT", "9", moment=61.0)
            await fake.trade("BTCUSDT", "7", moment=130.0)
            async with httpx2.AsyncClient(base_url=fake.rest_url, trust_env=False) as client:
                get = client.get
                assert (await get("/api/v3/ping")).json() == {}
                assert (await get("/api/v3/time")).json() == {"serverTime": 300_000}
                listed = (await get("/api/v3/exchangeInfo")).json()["symbols"]
                assert [entry["symbol"] for entry in listed] == ["BTCUSDT"]
                bars = await get("/api/v3/klines?symbol=BTCUSDT&interval=1m")
                assert [bar[:5] + bar[6:7] for bar in bars.json()] == [
                    [60_000, "5", "9", "5", "9", 119_999],
                    [120_000, "7", "7", "7", "7", 179_999],
                ]
                trades = await get("/api/v3/trades?symbol=BTCUSDT&limit=1")
                assert [trade["price"] for trade in trades.json()] == ["7"]
                unknown = await get("/api/v3/trades?symbol=NOPE")
                assert (unknown.status_code, unknown.json()["code"]) == (400, -1121)
                wrong = await get("/api/v3/klines?symbol=BTCUSDT&interval=9x")
                assert wrong.json()["code"] == -1120
                fake.refuse_rest(418, retry_after="3")
                banned = await get("/api/v3/ping")
                assert (banned.status_code, banned.headers["Retry-After"]) == (418, "3")
                assert banned.json()["code"] == -1003

    play(scene)


async def ids(socket: ClientConnection, count: int) -> list[int]:
    return [(await heard(socket))["t"] for _ in range(count)]


def test_events_can_repeat_and_come_in_the_wrong_order() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake, dial(fake, "/ws/btcusdt@trade") as socket:
            await fake.connected(1)
            await fake.trade("BTCUSDT", "1")
            await fake.again("BTCUSDT")
            await fake.out_of_order("BTCUSDT", ["2", "3", "4"])
            assert await ids(socket, 5) == [1, 1, 4, 3, 2]
            status, tape = fake.market.answer("/api/v3/trades", {"symbol": ["BTCUSDT"]})
            assert (status, [trade["id"] for trade in tape]) == (200, [1, 2, 3, 4])

    play(scene)


def test_a_frame_can_drip_and_a_line_can_be_cut_within_one() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake, dial(fake, "/ws/btcusdt@trade") as socket:
            await fake.connected(1)
            await fake.drip("BTCUSDT", "1", every=0.0)
            assert await ids(socket, 1) == [1]
            fake.cut()
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is None

    play(scene)


def test_trades_made_while_the_fake_is_mute_are_known_to_its_rest_api() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake, dial(fake, "/ws/btcusdt@trade") as socket:
            await fake.connected(1)
            fake.mute = True
            await fake.trade("BTCUSDT", "1", moment=60.0)
            fake.mute = False
            await fake.trade("BTCUSDT", "2", moment=61.0)
            assert await ids(socket, 1) == [2]
            asked = {"symbol": ["BTCUSDT"], "interval": ["1m"]}
            assert [bar[1:5] for bar in fake.market.answer("/api/v3/klines", asked)[1]] == [["1", "2", "1", "2"]]
            assert fake.market.answer("/api/v3/ticker/price", asked) == (200, {"symbol": "BTCUSDT", "price": "2"})
            assert fake.market.answer("/api/v3/exchangeInfo", {"symbols": ['["BTCUSDT","X"]']})[0] == 400

    play(scene)


def test_the_command_line_client_of_websockets_sees_the_same_from_outside() -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            client = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "websockets", fake.url + "/ws",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            assert client.stdin is not None
            assert client.stdout is not None
            await fake.connected(1)
            client.stdin.write(b'{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":7}\n')
            await fake.subscribed("btcusdt@trade")
            await fake.trade("BTCUSDT", "69000.10")
            seen = await client.stdout.readuntil(b'"p":"69000.10"')
            client.stdin.close()
            rest, _ = await client.communicate()
            assert b'"id": 7' in seen
            assert b"Connection closed: 1000 (OK)" in rest
            assert client.returncode == 0

    play(scene)
