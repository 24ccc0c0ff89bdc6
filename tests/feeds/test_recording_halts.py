"""A recording of halted stocks replayed rejects the orders that were rejected live, for the same reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from scenes import play, running
from test_alpaca import OPEN, feed_of

from arena.core.exchange import Rules, settle
from arena.core.ledger import Account
from arena.core.orders import Order, Rejection, Side
from arena.engine.backtest.market import read_market
from arena.engine.live.sources import LiveSource, ReplaySource
from arena.engine.state import MarketState
from arena.feeds.alpaca.parser import AlpacaParser
from arena.feeds.base import Halt, RawFrame
from arena.feeds.fakes.alpaca import FakeAlpaca
from arena.feeds.history import load_history
from arena.feeds.live import LiveMarket
from arena.feeds.recording.layout import RecordedFeed
from arena.feeds.recording.writer import Recording

SECOND = 10**9
START = OPEN // SECOND
REASON = "Trading of AAPL is halted (Trading Halt: News pending)"
FEEDS = [RecordedFeed("alpaca", ("AAPL", "TSLA"), {"prices": "trades"})]


def write(path: Path, frames: list[RawFrame]) -> None:
    recording = Recording(path, FEEDS, append=path.exists())
    for frame in frames:
        recording.write(frame)
    recording.close()


def replayed(path: Path, seconds: int) -> list[dict[str, str]]:
    source = ReplaySource(read_market([str(path)], None, 1.0, lambda _: None))
    assert [source.market.time(n) for n in range(seconds)] == [START + n + 1.0 for n in range(seconds)]
    return [dict(source.conditions(0.0, MarketState(n=n - 1)).barred) for n in range(seconds)]


def test_a_replay_applies_halts_at_the_same_ticks_as_live(tmp_path: Path) -> None:
    path, live = tmp_path / "m.arena", []
    now = [OPEN]

    async def scene() -> None:
        async with FakeAlpaca(clock_ns=lambda: now[0]) as fake:
            feed = feed_of(fake, "AAPL", "TSLA", base_url="", clock=lambda: now[0])
            market = LiveMarket([feed], clock=lambda: now[0] / SECOND)
            source = LiveSource(market, ("AAPL", "TSLA"), 1.0)
            steps: list[Callable[[], Awaitable[None]]] = [
                lambda: fake.trade("AAPL", 1.0),
                lambda: fake.status("AAPL"),
                lambda: fake.status("AAPL", "Q", "Quotation Resumption"),
                lambda: fake.status("AAPL", "T", "Trading Resumption"),
                lambda: fake.status("AAPL", "P"),
                lambda: fake.trade("AAPL", 2.0),
                lambda: fake.status("TSLA"),
                lambda: fake.trade("AAPL", 3.0),
            ]
            async with running(feed) as heard:
                await fake.subscribed("AAPL", "s")
                for n, step in enumerate(steps):
                    now[0] = OPEN + n * SECOND + SECOND // 2
                    await step()
                    await fake.trade("TSLA", 10.0 + n)
                    await heard.until(lambda n=n: 10.0 + n in heard.prices)
                    for update in heard.updates:
                        market.on_price(update)
                    live.append(source.conditions(START + n + 1.0, MarketState()).barred)
                    now[0] += SECOND
            write(path, heard.frames)

    play(scene)
    live.pop()  # the replay ends at the last grid point before the last price
    barred = replayed(path, len(live))
    assert barred == live
    halted = {"AAPL": REASON}
    assert barred[:-1] == [{}, halted, halted, {}, halted, {}]
    assert barred[-1].keys() == {"TSLA"}
    order = Order("AAPL", Side.BUY, 1.0)
    (outcome,) = settle("Bot", Account(100.0), [order], {"AAPL": 1.0}, Rules(100.0), barred[1]).outcomes
    assert isinstance(outcome, Rejection)
    assert outcome.reason == REASON


def test_a_restarted_recorder_knows_of_no_halt(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"

    def deal(second: float, number: int) -> RawFrame:
        text = f'[{{"T":"t","S":"AAPL","i":{number},"x":"V","p":1.0,"t":"2026-03-06T16:00:00Z","c":["@"],"z":"C"}}]'
        return RawFrame("alpaca", OPEN + round(second * SECOND), text.encode())

    halt = b'[{"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","rm":"News pending","t":"2026-03-06T17:00:00Z","z":"C"}]'
    write(path, [deal(0.5, 1), RawFrame("alpaca", OPEN + SECOND, halt)])
    assert load_history([str(path)], interval=None).halts == {"AAPL": [(START + 1.0, "Trading Halt: News pending")]}
    write(path, [deal(9.5, 2)])
    (_, (ended, reason)) = load_history([f"X={path}"], interval=None).halts["X"]
    assert (ended > START, reason) == (True, "")


def test_the_parser_returns_a_halt_and_its_end_once() -> None:
    def told(*codes: str) -> list[str]:
        found = []
        for n, code in enumerate(codes):
            payload = f'[{{"T":"s","S":"AAPL","sc":"{code}","sm":"Halt","t":"2026-03-06T17:00:0{n}Z"}}]'.encode()
            found += parser.parse(payload, OPEN / SECOND + n)
        return [news.reason for news in found if isinstance(news, Halt)]

    parser = AlpacaParser(["AAPL"])
    assert told("H", "H", "Q", "T", "T") == ["Halt", ""]
