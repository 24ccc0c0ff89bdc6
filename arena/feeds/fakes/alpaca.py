"""A fake Alpaca: the streams of stocks and crypto and the latest prices on one port of 127.0.0.1.

    async with FakeAlpaca() as fake:
        feed = AlpacaFeed(["AAPL"], fake.key, fake.secret, ws_url=fake.url, base_url=fake.rest_url)
        await fake.subscribed("AAPL")
        await fake.trade("AAPL", 187.5)

It sends nothing by itself: a test sends each message. Logins by message and by header, limits, encodings and
replies follow the venue's documents; each fault that a connector must survive is one method or attribute.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from arena.feeds.alpaca.codec import CONTENT_TYPES, Message, decode, encode
from arena.feeds.alpaca.connection import AlpacaTiming
from arena.feeds.alpaca.feed import AlpacaFeed
from arena.feeds.alpaca.parser import AlpacaParser
from arena.feeds.fakes.alpaca_protocol import (
    CLOSING_ERRORS,
    REST_PATHS,
    FakeAlpacaMarket,
    FakeAlpacaRest,
    FakeAlpacaSession,
    error_message,
    status_message,
)
from arena.feeds.fakes.simulation import Fault, PriceWalk, VenueSimulation
from arena.feeds.fakes.websocket_server import WebSocketFake

_PATHS = re.compile(r"/v2/(iex|sip|delayed_sip|test)|/v1beta3/crypto/(us|us-1|eu-1)")
_TIMING = AlpacaTiming(
    open_timeout=2.0, login=1.0, silence=0.5, first_delay=0.02, max_delay=0.2,
    limit_delay=0.05, max_limit_delay=0.4, warning_interval=0.0,
)  # fmt: skip
_GARBAGE = ('[{"T":"t"', b"\xc1\xff", '[{"T":"t","S":"AAPL","p":"x","i":1,"t":"no time"}]', "[[1]]")


class FakeAlpaca(WebSocketFake[FakeAlpacaSession]):
    """One venue with one account; use it as an asynchronous context manager.

    `connection_limit` counts logins of an endpoint, `symbol_limit` trades and quotes of a connection. `mute`
    keeps connections open and silent; `twice` sends every data message twice, `swapped` each pair of them in
    the wrong order; `drip` is the pause after every byte of a data frame; `unavailable` has the channels that
    may not be subscribed, each with its error code. `rest` is the REST side; `requests` and `paths` are those
    of the streams only.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        key: str = "a-key-id",
        secret: str = "a-secret",  # noqa: S107 - of an account that exists here only
        connection_limit: int = 1,
        symbol_limit: int | None = 30,
        rest_limit: int = 200,
        auth_timeout: float = 10.0,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(port=port)
        self.key, self.secret = key, secret
        self.connection_limit, self.symbol_limit = connection_limit, symbol_limit
        self.mute = self.twice = self.swapped = False
        self.drip = 0.0
        self.unavailable: dict[str, int] = {}
        self.paths: list[str] = []
        self.requests: list[object] = []
        self._auth_timeout = auth_timeout
        self._clock_ns = clock_ns
        self._refusals: list[int] = []
        self._login_errors: list[int] = []
        self._held: list[Message] = []
        self._market = FakeAlpacaMarket()
        self.rest = FakeAlpacaRest(self._market, key, secret, clock_ns, rest_limit)

    async def requested(self, count: int) -> None:
        """Wait until at least `count` requests have come to the REST side."""
        await self.until(lambda: len(self.rest.requests) >= count)

    async def subscribed(self, symbol: str, kind: str = "t") -> None:
        """Wait until some connection has subscribed to a symbol's messages of a kind, named by their T."""
        wanted = {"T": kind, "S": symbol}
        await self.until(lambda: any(session.wants(wanted) for session in self.sessions.values()))

    # -- data -------------------------------------------------------------------------------------

    async def trade(
        self, symbol: str, price: float, *, trade_id: int | None = None, moment: int | None = None, **more: object
    ) -> int:
        """Send one trade and return its id; `more` replaces fields."""
        made = self._market.trade(symbol, price, trade_id, self._moment(moment), **more)
        await self.publish(made)
        return int(made["i"])

    async def correct(self, symbol: str, trade_id: int, price: float) -> int:
        """Correct a trade that was sent and return the id of its replacement."""
        made = self._market.correct(symbol, trade_id, price, self._moment(None))
        await self.publish(made)
        return int(made["ci"])

    async def cancel(self, symbol: str, trade_id: int) -> None:
        """Cancel a trade that was sent."""
        await self.publish(self._market.cancel(symbol, trade_id, self._moment(None)))

    async def quote(self, symbol: str, bid: float, ask: float, *, moment: int | None = None) -> None:
        """Send one quote."""
        await self.publish(self._market.quote(symbol, bid, ask, self._moment(moment)))

    async def bar(self, symbol: str, close: float, *, opened: int) -> None:
        """Send one minute bar."""
        await self.publish(self._market.bar(symbol, close, opened))

    async def status(
        self, symbol: str, code: str = "H", text: str = "Trading Halt", *, moment: int | None = None
    ) -> None:
        """Send a trading status."""
        await self.publish(status_message(symbol, code, text, self._moment(moment)))

    async def publish(self, *data: Message) -> None:
        """Send data messages, in one array, to the connections that want them; `t` in nanoseconds."""
        batch = list(data) * (2 if self.twice else 1)
        if self.swapped:
            self._held += batch
            batch, self._held = (self._held[::-1], []) if len(self._held) > 1 else ([], self._held)
        if self.mute:
            return
        for connection, session in list(self.sessions.items()):
            wanted = [session.stamped(message) for message in batch if session.wants(message)]
            if wanted:
                await self._send(connection, session, encode(wanted, session.encoding))

    # -- faults -----------------------------------------------------------------------------------

    async def error(self, code: int) -> None:
        """Send an error to every connection."""
        for connection, session in list(self.sessions.items()):
            await self._send(connection, session, encode([error_message(code)], session.encoding))

    async def send_raw(self, payload: str | bytes) -> None:
        """Send anything, valid or not, to every connection."""
        for connection, session in list(self.sessions.items()):
            await self._send(connection, session, payload)

    def refuse(self, status: int, *, times: int = 1) -> None:
        """Answer the next handshakes with an HTTP error."""
        self._refusals += [status] * times

    def refuse_login(self, code: int, *, times: int = 1) -> None:
        """Answer the next logins with an error."""
        self._login_errors += [code] * times

    # -- the server -------------------------------------------------------------------------------

    async def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        if REST_PATHS.fullmatch(urlsplit(request.path).path):
            response = self.rest.answer(request.path, request.headers)
            await self.changed()
            return response
        self.attempts += 1
        self.paths.append(request.path)
        await self.changed()
        if self._refusals:
            return connection.respond(self._refusals.pop(0), "Refused\n")
        return None if _PATHS.fullmatch(urlsplit(request.path).path) else connection.respond(404, "Not found\n")

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        path, headers = connection.request.path, connection.request.headers
        packed = headers.get("Content-Type") == CONTENT_TYPES["msgpack"]
        crypto = "/crypto/" in path
        session = FakeAlpacaSession(
            "msgpack" if packed else "json", lambda *pair: self._admit(path, *pair), crypto=crypto
        )
        self.sessions[connection] = session
        await self.changed()
        try:
            await self._reply(connection, session, {"T": "success", "msg": "connected"})
            if "APCA-API-KEY-ID" in headers:
                answer = session.log_in(headers["APCA-API-KEY-ID"], headers.get("APCA-API-SECRET-KEY"))
                await self._reply(connection, session, answer)
            await self._converse(connection, session)
        except ConnectionClosed:
            pass  # whatever way the client left
        finally:
            del self.sessions[connection]
            await self.changed()

    async def _converse(self, connection: ServerConnection, session: FakeAlpacaSession) -> None:
        end = asyncio.get_running_loop().time() + self._auth_timeout
        while True:
            try:
                async with asyncio.timeout_at(None if session.authenticated else end):
                    payload = await connection.recv(decode=False)
            except TimeoutError:
                await self._reply(connection, session, error_message(404))
                return
            request = (decode(payload) or [None])[0]
            self.requests.append(request)
            session.symbol_limit, session.unavailable = self.symbol_limit, self.unavailable
            await self._reply(connection, session, session.answer(request))

    def _admit(self, path: str, key: object, secret: object) -> int | None:
        """Return why a login is refused, None if it is not."""
        if self._login_errors:
            return self._login_errors.pop(0)
        if (key, secret) != (self.key, self.secret):
            return 402
        others = [c for c, s in self.sessions.items() if s.authenticated and c.request and c.request.path == path]
        return 406 if len(others) >= self.connection_limit else None

    async def _reply(self, connection: ServerConnection, session: FakeAlpacaSession, answer: Message) -> None:
        if not self.mute:
            async with session.send_lock:
                await connection.send(encode([answer], session.encoding))
        if answer.get("code") in CLOSING_ERRORS:
            await connection.close(1000)
        await self.changed()

    async def _send(self, connection: ServerConnection, session: FakeAlpacaSession, payload: str | bytes) -> None:
        try:
            async with session.send_lock:
                await self._emit(connection, payload)
        except (ConnectionClosed, RuntimeError):
            pass  # it left while the others were being served

    async def _emit(self, connection: ServerConnection, payload: str | bytes) -> None:
        if not self.drip:
            await connection.send(payload)
            return
        for byte in _websocket_frame(payload):
            connection.transport.write(bytes((byte,)))
            await asyncio.sleep(self.drip)

    def _moment(self, moment: int | None) -> int:
        return self._clock_ns() if moment is None else moment


class AlpacaSimulation(VenueSimulation):
    """A fake Alpaca whose prices are a walk; its stocks are those of the test feed, which never closes."""

    name = "alpaca"
    lasting = frozenset({"mute"})

    def __init__(self, symbols: Sequence[str], *, seed: int = 1, port: int = 0) -> None:
        self.fake = FakeAlpaca(port=port)
        super().__init__(self.fake, PriceWalk(symbols, seed))
        self._symbols = tuple(symbols)
        self._ids: dict[str, tuple[int, int]] = {}
        self._order = asyncio.Lock()
        self.faults: Mapping[str, Fault] = {
            "cut in mid-frame": self._cut, "close": self.fake.hang_up, "mute": self.mute,
            "garbage": self._garbage, "unknown event": self._unknown, "repeat": self._repeat,
            "wrong order": self._wrong_order, "slow drip": self._drip, "cancelled trade": self._cancel,
            "corrected trade": self._correct, "internal error": self._internal, "slow client": self._slow,
            "too many connections": self._crowded, "HTTP 503": self._unavailable, "halt": self._halt,
            "no last prices": self._no_latest_prices,
        }  # fmt: skip

    def settings(self) -> dict[str, str]:
        """Return the settings that point an arena here."""
        return {
            "FEED": "alpaca",
            "ALPACA_API_KEY": self.fake.key,
            "ALPACA_SECRET_KEY": self.fake.secret,
            "DATA_SOURCES__ALPACA__SYMBOLS": orjson.dumps(self._symbols).decode(),
            "DATA_SOURCES__ALPACA__FEED": "test",
            "DATA_SOURCES__ALPACA__WS_URL": self.fake.url,
            "DATA_SOURCES__ALPACA__BASE_URL": self.fake.rest_url,
        }

    def connector(self) -> AlpacaFeed:
        """Return the live feed, with short delays."""
        fake = self.fake
        return AlpacaFeed(
            self._symbols, fake.key, fake.secret, feed="test", ws_url=fake.url, base_url=fake.rest_url, timing=_TIMING
        )

    def parser(self) -> AlpacaParser:
        """Return a new parser of what the connector receives."""
        return AlpacaParser(self._symbols)

    async def subscribed(self) -> None:
        """Wait until the trades of every symbol are subscribed."""
        for symbol in self._symbols:
            await self.fake.subscribed(symbol)

    async def publish(self, symbol: str) -> float:
        """Send a trade at the next price, and return the price."""
        async with self._order:
            return await self._trade(symbol)

    async def mute(self) -> None:
        """Leave the connections open and send nothing more."""
        self.fake.mute = True

    async def restore(self) -> None:
        """Send again."""
        self.fake.mute = False

    async def refuse_for_good(self) -> None:
        """Refuse the key from now on."""
        self.fake.refuse_login(402, times=99)
        self.fake.cut()

    async def _trade(self, symbol: str) -> float:
        price = self.walk.next(symbol)
        number = len(self.walk.made[symbol]) - 1
        self._ids[symbol] = await self.fake.trade(symbol, price), number
        return price

    async def _cut(self) -> None:
        self.fake.cut()

    async def _garbage(self) -> None:
        async with self._order:
            for payload in _GARBAGE:
                await self.fake.send_raw(payload)

    async def _unknown(self) -> None:
        async with self._order:
            for symbol in self._symbols:
                await self.fake.publish({"T": "news", "S": symbol, "p": 1.0})
                await self.fake.send_raw(orjson.dumps([{"T": "zz", "S": symbol, "p": 1.0}]).decode())

    async def _repeat(self) -> None:
        self.fake.twice = True
        await self.publish(self._symbols[0])
        self.fake.twice = False

    async def _wrong_order(self) -> None:
        async with self._order:
            self.fake.swapped = True
            for _ in range(2):
                await self._trade(self._symbols[0])
            self.fake.swapped = False

    async def _drip(self) -> None:
        async with self._order:
            self.fake.drip = 0.0005
            with suppress(RuntimeError):  # the connection has ended in the middle of the drip
                await self._trade(self._symbols[0])
            self.fake.drip = 0.0

    async def _cancel(self) -> None:
        async with self._order:
            for symbol, (trade_id, number) in self._ids.items():
                self.walk.withdrawn.add((symbol, number))
                await self.fake.cancel(symbol, trade_id)

    async def _correct(self) -> None:
        async with self._order:
            for symbol, (trade_id, number) in list(self._ids.items()):
                self.walk.withdrawn.add((symbol, number))
                await self.fake.correct(symbol, trade_id, self.walk.next(symbol))

    async def _halt(self) -> None:
        async with self._order:
            for code, text in (("H", "Trading Halt"), ("T", "Trading Resumption")):
                await self.fake.status(self._symbols[0], code, text)

    async def _no_latest_prices(self) -> None:
        self.fake.rest.refuse(503, times=2)
        await self._cut()

    async def _internal(self) -> None:
        await self.fake.error(500)
        await self.fake.hang_up()

    async def _slow(self) -> None:
        await self.fake.error(407)
        await self._cut()

    async def _crowded(self) -> None:
        self.fake.refuse_login(406, times=2)
        await self._cut()

    async def _unavailable(self) -> None:
        self.fake.refuse(503, times=2)
        await self._cut()


def _websocket_frame(payload: str | bytes) -> bytes:
    """Return one whole WebSocket frame as a server sends it."""
    body = payload.encode() if isinstance(payload, str) else payload
    head = 0x81 if isinstance(payload, str) else 0x82
    size = bytes((len(body),)) if len(body) < 126 else b"\x7e" + len(body).to_bytes(2, "big")
    return bytes((head,)) + size + body
